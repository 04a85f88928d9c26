// Screen is a status program: it fills the frame buffer of the device with four
// bars, red, green, blue and white from the left, and draws them each second
// anew, over whatever the kernel has written there. Where the device has no
// frame buffer it says so and asks not to be started again.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gokrazy.test/programs/internal/service"
)

const (
	device = "/dev/fb0"
	facts  = "/sys/class/graphics/fb0"
)

// screen is how the frame buffer lies in memory.
type screen struct {
	width, height, bytes, stride int
}

func main() {
	service.Log("screen")
	out, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		log.Print(err)
		os.Exit(125)
	}
	s, err := read(facts)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("draws bars on %s: %d by %d pixels of %d bytes", device, s.width, s.height, s.bytes)
	for {
		if _, err := out.WriteAt(s.bars(), 0); err != nil {
			log.Fatal(err)
		}
		time.Sleep(time.Second)
	}
}

// read returns what the kernel says of a frame buffer in a folder of sysfs.
func read(folder string) (screen, error) {
	var s screen
	var bits int
	for _, fact := range []struct {
		name, format string
		into         []any
	}{
		{"virtual_size", "%d,%d", []any{&s.width, &s.height}},
		{"bits_per_pixel", "%d", []any{&bits}},
		{"stride", "%d", []any{&s.stride}},
	} {
		content, err := os.ReadFile(filepath.Join(folder, fact.name))
		if err != nil {
			return s, err
		}
		text := strings.TrimSpace(string(content))
		if _, err := fmt.Sscanf(text, fact.format, fact.into...); err != nil {
			return s, fmt.Errorf("%s of the frame buffer is %q: %v", fact.name, text, err)
		}
	}
	s.bytes = bits / 8
	if s.bytes != 2 && s.bytes != 4 || s.width < 4 || s.stride < s.width*s.bytes {
		return s, fmt.Errorf("a frame buffer of %d bits a pixel, %d pixels and %d bytes a row is not known", bits, s.width, s.stride)
	}
	return s, nil
}

// bars returns the whole frame buffer.
func (s screen) bars() []byte {
	row := make([]byte, s.stride)
	for x := 0; x < s.width; x++ {
		copy(row[x*s.bytes:], s.colour(x*4/s.width))
	}
	whole := make([]byte, 0, s.stride*s.height)
	for y := 0; y < s.height; y++ {
		whole = append(whole, row...)
	}
	return whole
}

// colour returns a pixel of a bar, as XRGB8888 or RGB565 in little-endian order.
func (s screen) colour(bar int) []byte {
	if s.bytes == 2 {
		pixel := [...]uint16{0xf800, 0x07e0, 0x001f, 0xffff}[bar]
		return []byte{byte(pixel), byte(pixel >> 8)}
	}
	pixel := [...]uint32{0xff0000, 0x00ff00, 0x0000ff, 0xffffff}[bar]
	return []byte{byte(pixel), byte(pixel >> 8), byte(pixel >> 16), 0}
}
