// Daemon says that it is there once a minute.
package main

import (
	"fmt"
	"time"
)

func main() {
	for {
		fmt.Println("daemon is there")
		time.Sleep(time.Minute)
	}
}
