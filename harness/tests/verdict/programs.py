"""Programs that break an appliance by what they do: Go sources, each compiled for the row that needs it."""

_HEAD = "package main\n\n"

ENDS = _HEAD + "func main() {}\n"

PANICS = (
    _HEAD
    + """func main() {
	var settings map[string]string
	settings["port"] = "8080"
}
"""
)

SLEEPS = (
    _HEAD
    + """import "time"

func main() {
	for {
		time.Sleep(time.Hour)
	}
}
"""
)

REBOOTS = (
    _HEAD
    + """import (
	"syscall"
	"time"
)

func main() {
	time.Sleep(%s)
	syscall.Sync()
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
}
"""
)
REBOOTS_AT_ONCE = REBOOTS % "time.Second"
REBOOTS_ONCE_IT_SERVES = REBOOTS % "8 * time.Second"

EATS_MEMORY = (
    _HEAD
    + """import "time"

var held [][]byte

func main() {
	for {
		part := make([]byte, 16<<20)
		for at := 0; at < len(part); at += 4096 {
			part[at] = 1
		}
		held = append(held, part)
		time.Sleep(20 * time.Millisecond)
	}
}
"""
)

TAKES_PORT_80 = (
    _HEAD
    + """import (
	"log"
	"net/http"
)

func main() {
	log.Fatal(http.ListenAndServe(":80", http.NotFoundHandler()))
}
"""
)

DOES_NOT_COMPILE = (
    _HEAD
    + """func main() {
	serve(8080)
}
"""
)

HOLDS_MEMORY = (
    _HEAD
    + """import "time"

var held []byte

func main() {
	held = make([]byte, %d<<20)
	for at := 0; at < len(held); at += 4096 {
		held[at] = 1
	}
	for {
		time.Sleep(time.Hour)
	}
}
"""
)

GIVES_ITSELF_AN_ADDRESS = (
    _HEAD
    + """import (
	"syscall"
	"time"
	"unsafe"
)

func main() {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		panic(err)
	}
	set := func(request uintptr, value ...byte) {
		var ifreq [40]byte
		copy(ifreq[:], "eth0")
		copy(ifreq[16:], value)
		for {
			at := uintptr(unsafe.Pointer(&ifreq[0]))
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, at); errno == 0 {
				return
			}
			time.Sleep(time.Second)
		}
	}
	set(syscall.SIOCSIFADDR, syscall.AF_INET, 0, 0, 0, 10, 0, 2, 15)
	set(syscall.SIOCSIFNETMASK, syscall.AF_INET, 0, 0, 0, 255, 255, 255, 0)
	set(syscall.SIOCSIFFLAGS, 0x43, 0x10)
	syscall.Kill(1, syscall.SIGHUP)
	for {
		time.Sleep(time.Hour)
	}
}
"""
)

SAVES_NO_SEED = (
    _HEAD
    + """import (
	"fmt"
	"os"
	"time"
)

func main() {
	if err := os.WriteFile("/perm/random.seed", make([]byte, 512), 0o600); err != nil {
		panic(err)
	}
	fmt.Println("seeding RNG from /perm/random.seed")
	for {
		time.Sleep(time.Hour)
	}
}
"""
)

WRITES_OR_DIES = (
    _HEAD
    + """import (
	"os"
	"time"
)

func main() {
	file, err := os.OpenFile("/perm/home/hello/beats", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	for {
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			panic(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
"""
)

SAME_AT_EVERY_START = (
    _HEAD
    + """import (
	"os"
	"syscall"
	"time"
)

func main() {
	if err := os.WriteFile("/tmp/id", []byte("00000000-1111-4222-8333-444444444444\\n"), 0o444); err != nil {
		panic(err)
	}
	for _, name := range []string{"boot_id", "uuid"} {
		if err := syscall.Mount("/tmp/id", "/proc/sys/kernel/random/"+name, "", syscall.MS_BIND, ""); err != nil {
			panic(err)
		}
	}
	for {
		time.Sleep(time.Hour)
	}
}
"""
)
