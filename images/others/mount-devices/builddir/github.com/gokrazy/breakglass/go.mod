module gokrazy/build/github.com/gokrazy/breakglass

go 1.24.0

require github.com/gokrazy/breakglass v0.0.0-20251229072214-9dbc0478d486
