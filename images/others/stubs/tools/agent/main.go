// Agent says that it is there once a minute.
package main

import (
	"fmt"
	"time"
)

func main() {
	for {
		fmt.Println("agent is there")
		time.Sleep(time.Minute)
	}
}
