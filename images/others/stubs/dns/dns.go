// Dns answers each question for its zone with 192.0.2.1, on UDP port 53.
package main

import (
	"flag"
	"log"
	"net"
)

var (
	zone   = flag.String("zone", "example.test", "the zone that is served")
	_      = flag.String("tsig-name", "", "the key's name")
	_      = flag.String("tsig-secret", "", "the key")
	listen = flag.String("listen", ":53", "where questions come in")
)

func main() {
	flag.Parse()
	socket, err := net.ListenPacket("udp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving %s on %s", *zone, socket.LocalAddr())
	question := make([]byte, 512)
	for {
		n, asker, err := socket.ReadFrom(question)
		if err != nil {
			log.Fatal(err)
		}
		if answer := answerTo(question[:n]); answer != nil {
			if _, err := socket.WriteTo(answer, asker); err != nil {
				log.Print(err)
			}
		}
	}
}

// answerTo copies header and question, and adds one address; nil for what is no question.
func answerTo(message []byte) []byte {
	const header = 12
	end := header
	for end < len(message) && message[end] != 0 {
		end += int(message[end]) + 1
	}
	end += 5 // the root's empty label, type and class
	if len(message) < header || end > len(message) {
		return nil
	}
	answer := append([]byte{}, message[:end]...)
	answer[2], answer[3] = 0x84, 0x00                      // an authoritative answer without an error
	copy(answer[4:header], []byte{0, 1, 0, 1, 0, 0, 0, 0}) // one question, one answer
	return append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
}
