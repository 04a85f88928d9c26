// Hello stands in for github.com/gokrazy/hello: it greets and leaves with 0.
package main

import "fmt"

func main() {
	fmt.Println("Hello, 世界")
}
