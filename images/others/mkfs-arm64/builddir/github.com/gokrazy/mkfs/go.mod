module gokrazy/build/github.com/gokrazy/mkfs

go 1.24.0

require github.com/gokrazy/mkfs v0.0.0-00010101000000-000000000000

replace github.com/gokrazy/mkfs => ../../../../../stubs/mkfs
