// Tool prints the words that came with it, and is done.
package main

import (
	"log"
	"os"
)

func main() {
	words, err := os.ReadFile("/usr/share/tool/words")
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(words)
}
