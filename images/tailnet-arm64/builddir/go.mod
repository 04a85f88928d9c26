module gokrazy/build/tailnet-arm64

go 1.24.4

require (
	github.com/gokrazy/gokrazy v0.0.0-20260418085648-c38c3134b8a7
	github.com/gokrazy/internal v0.0.0-20251208203110-3c1aa9087c82
	github.com/gokrazy/kernel.arm64 v0.0.0-20260705071517-37841c4d6ff1
	gokrazy.test/programs v0.0.0
	tailscale.com v1.86.0
)

replace gokrazy.test/programs => ../../programs
