// Package kernel holds a kernel of one's own: vmlinuz, cmdline.txt and lib,
// which are put here by take.
package kernel
