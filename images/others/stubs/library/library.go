// Package library is a vendor's fork of a library.
package library

// Name is who made it.
const Name = "the vendor's fork"
