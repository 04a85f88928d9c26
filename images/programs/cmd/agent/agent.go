package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
)

// delimiter stands before the answer to guest-sync-delimited: it is in no text.
const delimiter = 0xff

// version is that of QEMU's agent whose commands these are.
const version = "10.0.0"

// system is what the agent does to its device.
type system interface {
	// freeze stops writes to /perm, and thaw lets them go on.
	freeze() error
	thaw() error
	// shutdown ends the device as mode says: powerdown, halt or reboot.
	shutdown(mode string) error
	interfaces() ([]netInterface, error)
}

// agent is what outlives a connection.
type agent struct {
	system   system
	frozen   bool
	mutex    sync.Mutex
	commands map[int]*command
	last     int
}

// command is a program that was started.
type command struct {
	out, err bytes.Buffer
	status   int
	ended    bool
}

type request struct {
	Execute   string          `json:"execute"`
	Arguments json.RawMessage `json:"arguments"`
	ID        any             `json:"id,omitempty"`
}

type failure struct {
	Class string `json:"class"`
	Desc  string `json:"desc"`
}

type answer struct {
	Return any      `json:"return,omitempty"`
	Error  *failure `json:"error,omitempty"`
	ID     any      `json:"id,omitempty"`
}

type netInterface struct {
	Name      string      `json:"name"`
	Hardware  string      `json:"hardware-address,omitempty"`
	Addresses []ipAddress `json:"ip-addresses"`
}

type ipAddress struct {
	Type    string `json:"ip-address-type"`
	Address string `json:"ip-address"`
	Prefix  int    `json:"prefix"`
}

// serve answers request after request, one a line.
func (a *agent) serve(both io.ReadWriter) error {
	lines := bufio.NewReader(both)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		// What a host began before and never ended stands before the delimiter.
		line = bytes.TrimSpace(line[bytes.LastIndexByte(line, delimiter)+1:])
		if len(line) == 0 {
			continue
		}
		if _, err := both.Write(a.answer(line)); err != nil {
			return err
		}
	}
}

// answer returns what is sent back for a line; nothing for guest-shutdown.
func (a *agent) answer(line []byte) []byte {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return encoded(answer{Error: &failure{"GenericError", "JSON parse error: " + err.Error()}})
	}
	result, err := a.execute(asked)
	if err != nil {
		var unknown unknownCommand
		class := "GenericError"
		if errors.As(err, &unknown) {
			class = "CommandNotFound"
		}
		return encoded(answer{Error: &failure{class, err.Error()}, ID: asked.ID})
	}
	switch asked.Execute {
	case "guest-shutdown":
		return nil
	case "guest-sync-delimited":
		return append([]byte{delimiter}, encoded(answer{Return: result, ID: asked.ID})...)
	}
	return encoded(answer{Return: result, ID: asked.ID})
}

func encoded(said answer) []byte {
	text, err := json.Marshal(said)
	if err != nil {
		panic(err) // it is made of nothing that has no JSON
	}
	return append(text, '\n')
}

type unknownCommand string

func (name unknownCommand) Error() string {
	return fmt.Sprintf("The command %s has not been found", string(name))
}

// execute carries one command out.
func (a *agent) execute(asked request) (any, error) {
	var told struct {
		ID      int64    `json:"id"`
		Mode    string   `json:"mode"`
		Path    string   `json:"path"`
		Arg     []string `json:"arg"`
		Capture bool     `json:"capture-output"`
		PID     int      `json:"pid"`
	}
	if len(asked.Arguments) > 0 {
		if err := json.Unmarshal(asked.Arguments, &told); err != nil {
			return nil, fmt.Errorf("Invalid parameter: %v", err)
		}
	}
	switch asked.Execute {
	case "guest-ping":
		return struct{}{}, nil
	case "guest-sync", "guest-sync-delimited":
		return told.ID, nil
	case "guest-info":
		return a.info(), nil
	case "guest-network-get-interfaces":
		return a.system.interfaces()
	case "guest-fsfreeze-status":
		return a.state(), nil
	case "guest-fsfreeze-freeze":
		return a.setFrozen(true)
	case "guest-fsfreeze-thaw":
		return a.setFrozen(false)
	case "guest-exec":
		return a.start(told.Path, told.Arg, told.Capture)
	case "guest-exec-status":
		return a.status(told.PID)
	case "guest-shutdown":
		return struct{}{}, a.system.shutdown(told.Mode)
	}
	return nil, unknownCommand(asked.Execute)
}

// commandNames are those that guest-info lists.
var commandNames = []string{
	"guest-exec", "guest-exec-status", "guest-fsfreeze-freeze", "guest-fsfreeze-status", "guest-fsfreeze-thaw",
	"guest-info", "guest-network-get-interfaces", "guest-ping", "guest-shutdown", "guest-sync", "guest-sync-delimited",
}

func (a *agent) info() any {
	type one struct {
		Name            string `json:"name"`
		Enabled         bool   `json:"enabled"`
		SuccessResponse bool   `json:"success-response"`
	}
	var known []one
	for _, name := range commandNames {
		known = append(known, one{name, true, name != "guest-shutdown"})
	}
	return map[string]any{"version": version, "supported_commands": known}
}

func (a *agent) state() string {
	if a.frozen {
		return "frozen"
	}
	return "thawed"
}

// setFrozen returns how many file systems it froze or thawed.
func (a *agent) setFrozen(frozen bool) (int, error) {
	if frozen == a.frozen {
		return 0, nil
	}
	act := a.system.thaw
	if frozen {
		act = a.system.freeze
	}
	if err := act(); err != nil {
		return 0, err
	}
	a.frozen = frozen
	return 1, nil
}

// start starts a program, which guest-exec-status asks for.
func (a *agent) start(path string, arguments []string, capture bool) (any, error) {
	running := &command{}
	child := exec.Command(path, arguments...)
	if capture {
		child.Stdout, child.Stderr = &running.out, &running.err
	}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("Failed to execute child process: %v", err)
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.last++
	number := a.last
	a.commands[number] = running
	go func() {
		_ = child.Wait() // its status says the same
		a.mutex.Lock()
		defer a.mutex.Unlock()
		running.status, running.ended = child.ProcessState.ExitCode(), true
	}()
	return map[string]int{"pid": number}, nil
}

// status says how a program does; once it has ended it is forgotten.
func (a *agent) status(number int) (any, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	found := a.commands[number]
	if found == nil {
		return nil, fmt.Errorf("PID %d does not exist", number)
	}
	if !found.ended {
		return map[string]any{"exited": false}, nil
	}
	delete(a.commands, number)
	said := map[string]any{"exited": true, "exitcode": found.status}
	for name, content := range map[string][]byte{"out-data": found.out.Bytes(), "err-data": found.err.Bytes()} {
		if len(content) > 0 {
			said[name] = base64.StdEncoding.EncodeToString(content)
		}
	}
	return said, nil
}

// listed returns the network interfaces of the device, as QEMU's agent has them.
func listed() ([]netInterface, error) {
	known, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []netInterface
	for _, one := range known {
		addresses, err := one.Addrs()
		if err != nil {
			return nil, err
		}
		made := netInterface{Name: one.Name, Hardware: one.HardwareAddr.String(), Addresses: []ipAddress{}}
		for _, address := range addresses {
			network, ok := address.(*net.IPNet)
			if !ok {
				continue
			}
			kind := "ipv6"
			if network.IP.To4() != nil {
				kind = "ipv4"
			}
			prefix, _ := network.Mask.Size()
			made.Addresses = append(made.Addresses, ipAddress{kind, network.IP.String(), prefix})
		}
		found = append(found, made)
	}
	return found, nil
}
