module gokrazy/build/github.com/gokrazy/fbstatus

go 1.24.0

require github.com/gokrazy/fbstatus v0.0.0-00010101000000-000000000000

replace github.com/gokrazy/fbstatus => ../../../../../stubs/fbstatus
