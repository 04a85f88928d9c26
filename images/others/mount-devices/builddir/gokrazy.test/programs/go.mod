module gokrazy/build/gokrazy.test/programs

go 1.24.0

require gokrazy.test/programs v0.0.0-00010101000000-000000000000

replace gokrazy.test/programs => ../../../../../programs
