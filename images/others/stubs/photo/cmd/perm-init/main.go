// Perm-init makes the folders that the other programs use, and is done.
package main

import (
	"log"
	"os"
)

func main() {
	if err := os.MkdirAll("/perm/photos", 0o755); err != nil {
		log.Printf("no permanent folder: %v", err)
	}
}
