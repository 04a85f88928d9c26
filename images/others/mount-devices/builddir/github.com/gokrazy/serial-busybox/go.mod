module gokrazy/build/github.com/gokrazy/serial-busybox

go 1.24.0

require github.com/gokrazy/serial-busybox v0.0.0-20250119153030-ac58ba7574e7
