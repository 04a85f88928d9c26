module github.com/gokrazy/hello

go 1.24.0
