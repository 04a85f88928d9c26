module example.test/vendor

go 1.24.0

require (
	example.test/library v1.2.0
	golang.org/x/sys v0.38.0
)
