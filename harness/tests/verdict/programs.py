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
