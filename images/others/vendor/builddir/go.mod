module gokrazy/build/vendor

go 1.24.0

require (
	example.test/vendor v0.0.0-00010101000000-000000000000
	github.com/gokrazy/breakglass v0.0.0-20251229072214-9dbc0478d486
	github.com/gokrazy/gokrazy v0.0.0-20260418085648-c38c3134b8a7
	github.com/gokrazy/kernel.arm64 v0.0.0-20260705071517-37841c4d6ff1
	github.com/gokrazy/serial-busybox v0.0.0-20250119153030-ac58ba7574e7
)

require (
	example.test/library v1.2.0 // indirect
	golang.org/x/sys v0.38.0 // indirect
)

replace (
	example.test/library v1.2.0 => ../../stubs/library
	example.test/vendor => ../../stubs/vendor
	golang.org/x/sys v0.31.0 => golang.org/x/sys v0.38.0
)
