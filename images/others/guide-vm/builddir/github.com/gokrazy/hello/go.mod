module gokrazy/build/github.com/gokrazy/hello

go 1.24.0

require github.com/gokrazy/hello v0.0.0-00010101000000-000000000000

replace github.com/gokrazy/hello => ../../../../../stubs/hello
