module gokrazy/build/github.com/gokrazy/gokrazy

go 1.24.0

require github.com/gokrazy/gokrazy v0.0.0-20260418085648-c38c3134b8a7
