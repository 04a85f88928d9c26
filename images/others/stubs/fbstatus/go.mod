module github.com/gokrazy/fbstatus

go 1.24.0
