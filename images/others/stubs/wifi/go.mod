module github.com/gokrazy/wifi

go 1.24.0
