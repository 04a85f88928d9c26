// Ends leaves with status 0 after 8 seconds, and so is not started again.
package main

import (
	"fmt"
	"time"
)

func main() {
	fmt.Println("started")
	time.Sleep(8 * time.Second)
	fmt.Println("leaving with 0")
}
