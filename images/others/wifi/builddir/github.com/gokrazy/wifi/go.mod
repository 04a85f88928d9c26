module gokrazy/build/github.com/gokrazy/wifi

go 1.24.0

require github.com/gokrazy/wifi v0.0.0-00010101000000-000000000000

replace github.com/gokrazy/wifi => ../../../../../stubs/wifi
