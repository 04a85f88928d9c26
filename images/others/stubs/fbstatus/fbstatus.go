// Fbstatus stands in for github.com/gokrazy/fbstatus, and starts as it does: it
// takes a virtual terminal of its own, puts it into graphics mode and maps
// /dev/fb0. Where there is no frame buffer it says so and exits with status 1.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	openQuery  = 0x5600 // VT_OPENQRY
	activate   = 0x5606 // VT_ACTIVATE
	waitActive = 0x5607 // VT_WAITACTIVE
	setMode    = 0x4B3A // KDSETMODE
	graphics   = 1      // KD_GRAPHICS
	getVar     = 0x4600 // FBIOGET_VSCREENINFO
	getFix     = 0x4602 // FBIOGET_FSCREENINFO
)

func ioctl(fd, request, argument uintptr) error {
	if _, _, number := syscall.Syscall(syscall.SYS_IOCTL, fd, request, argument); number != 0 {
		return number
	}
	return nil
}

// leaseConsole puts the next free virtual terminal into graphics mode.
func leaseConsole() error {
	first, err := os.OpenFile("/dev/tty0", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer first.Close()
	var free int32
	if err := ioctl(first.Fd(), openQuery, uintptr(unsafe.Pointer(&free))); err != nil {
		return fmt.Errorf("VT_OPENQRY: %v", err)
	}
	log.Printf("opening next free console /dev/tty%d", free)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/tty%d", free), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name              string
		request, argument uintptr
	}{
		{"VT_ACTIVATE", activate, uintptr(free)},
		{"VT_WAITACTIVE", waitActive, uintptr(free)},
		{"KDSETMODE", setMode, graphics},
	} {
		if err := ioctl(terminal.Fd(), step.request, step.argument); err != nil {
			return fmt.Errorf("%s: %v", step.name, err)
		}
	}
	return nil
}

type screen struct {
	name          string
	width, height int
	bits, stride  int
	pixels        []byte
}

func openScreen(path string) (*screen, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %v", path, err)
	}
	var fix [80]byte    // struct fb_fix_screeninfo
	var info [40]uint32 // struct fb_var_screeninfo
	if err := ioctl(uintptr(fd), getFix, uintptr(unsafe.Pointer(&fix))); err != nil {
		return nil, fmt.Errorf("FBIOGET_FSCREENINFO: %v", err)
	}
	if err := ioctl(uintptr(fd), getVar, uintptr(unsafe.Pointer(&info))); err != nil {
		return nil, fmt.Errorf("FBIOGET_VSCREENINFO: %v", err)
	}
	length := int(binary.LittleEndian.Uint32(fix[24:]))
	pixels, err := syscall.Mmap(fd, 0, length, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %v", err)
	}
	name, _, _ := cut(fix[:16])
	found := &screen{
		name: name, width: int(info[0]), height: int(info[1]), bits: int(info[6]),
		stride: int(binary.LittleEndian.Uint32(fix[48:])), pixels: pixels,
	}
	if int(info[2])*int(info[3])*found.bits/8 != length {
		return nil, errors.New("virtual resolution doesn't match framebuffer size")
	}
	return found, nil
}

func cut(text []byte) (string, string, bool) {
	for i, b := range text {
		if b == 0 {
			return string(text[:i]), "", true
		}
	}
	return string(text), "", false
}

// draw fills the screen with one shade, and returns whether it reads back.
func (s *screen) draw(shade byte) bool {
	for y := 0; y < s.height; y++ {
		line := s.pixels[y*s.stride : y*s.stride+s.width*s.bits/8]
		for i := range line {
			line[i] = shade
		}
	}
	return s.pixels[s.stride*(s.height/2)] == shade
}

func run() error {
	if err := leaseConsole(); err != nil {
		return err
	}
	screen, err := openScreen("/dev/fb0")
	if err != nil {
		return err
	}
	for shade := byte(0); ; shade++ {
		began := time.Now()
		kept := screen.draw(shade)
		if shade == 0 {
			log.Printf("drawing on %s: %dx%d, %d bits, kept %v, in %v",
				screen.name, screen.width, screen.height, screen.bits, kept, time.Since(began).Round(time.Millisecond))
		}
		time.Sleep(time.Second)
	}
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
