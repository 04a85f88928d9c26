// Fbstatus stands in for github.com/gokrazy/fbstatus: it draws on the frame
// buffer once a second, and exits with 1 where there is none.
package main

import (
	"log"
	"os"
	"time"
)

const (
	console     = "/dev/tty0"
	frameBuffer = "/dev/fb0"
)

func main() {
	if err := draw(); err != nil {
		log.Fatal(err)
	}
}

func draw() error {
	tty, err := os.OpenFile(console, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	screen, err := os.OpenFile(frameBuffer, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer screen.Close()
	log.Printf("drawing on %s", frameBuffer)
	for shade := byte(0); ; shade += 16 {
		row := make([]byte, 1024)
		for i := range row {
			row[i] = shade
		}
		if _, err := screen.WriteAt(row, 0); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
}
