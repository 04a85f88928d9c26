module github.com/gokrazy/mkfs

go 1.24.0
