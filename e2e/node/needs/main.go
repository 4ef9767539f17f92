// Needs is the program of all test images: a server whose needs are chosen by its environment, a client, and the process
// that holds a pod's namespaces.
//
//	needs serve     do what NEEDS says, then answer on PORT (8080); the exit code is 1 if a need is not met
//	needs pause     wait for ever: the sandbox of every pod
//	needs ask URL [PATIENCE]   ask once and print the answer; it may take 3s
//
// NEEDS is a list of: root, write=FOLDER, chown=FOLDER, setuid, netraw, keyctl, iouring, token, tcp=HOST:PORT, config=NAME.
// START_AFTER, READY_AFTER and FAIL_AFTER are durations, MEMORY is in MiB. Needs are tried once it starts.
//
// A server also tries what packets reach: /probe?to=tcp:10.0.0.1:80&to=sctp:[fd00::1]:53 answers with a line for each, see probe.go.
//
// One static program without dependencies, so that an image is one file.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	sysKeyctl       = 250
	sysIoUringSetup = 425
)

func main() {
	if len(os.Args) < 2 {
		fail("what?", nil)
	}
	switch os.Args[1] {
	case "pause":
		pause()
	case "serve":
		serve()
	case "ask":
		patience := 3 * time.Second
		if len(os.Args) > 3 {
			var err error
			if patience, err = time.ParseDuration(os.Args[3]); err != nil {
				fail("patience", err)
			}
		}
		ask(os.Args[2], patience)
	default:
		fail("what is "+os.Args[1]+"?", nil)
	}
}

func pause() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}

func ask(url string, patience time.Duration) {
	client := http.Client{Timeout: patience}
	answer, err := client.Get(url)
	if err != nil {
		fail("ask", err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		fail("read", err)
	}
	fmt.Println(strings.TrimSpace(string(body)))
	if answer.StatusCode != http.StatusOK {
		os.Exit(1)
	}
}

func serve() {
	time.Sleep(duration(os.Getenv("START_AFTER")))
	for _, need := range strings.Split(os.Getenv("NEEDS"), ",") {
		if need == "" {
			continue
		}
		name, value, _ := strings.Cut(need, "=")
		if err := meet(name, value); err != nil {
			fail("need "+need, err)
		}
	}
	var ready atomic.Bool
	after(os.Getenv("READY_AFTER"), func() { ready.Store(true) })
	if os.Getenv("READY_AFTER") == "" {
		ready.Store(true)
	}
	after(os.Getenv("FAIL_AFTER"), func() { fail("late failure", nil) })
	hold := memory(os.Getenv("MEMORY"))

	calls := strings.Fields(os.Getenv("CALLS"))
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(out http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(out, "not yet", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/", func(out http.ResponseWriter, _ *http.Request) {
		client := http.Client{Timeout: 2 * time.Second}
		for _, url := range calls {
			answer, err := client.Get(url)
			if err != nil {
				http.Error(out, err.Error(), http.StatusBadGateway)
				return
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				http.Error(out, url+": "+answer.Status, http.StatusBadGateway)
				return
			}
		}
		host, _ := os.Hostname()
		fmt.Fprintf(out, "%s uid=%d memory=%d\n", host, os.Getuid(), len(hold))
	})
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	mux.HandleFunc("/probe", probe)
	go echo(":" + port)
	go abort("ip4", "0.0.0.0")
	go abort("ip6", "::")
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		fail("listen", err)
	}
	server := http.Server{Handler: mux}
	drained := make(chan struct{})
	go drain(&server, drained)
	fmt.Printf("serving on %s as uid %d\n", port, os.Getuid())
	if err := server.Serve(listener); err != http.ErrServerClosed {
		fail("serve", err)
	}
	<-drained
}

// drain goes on answering for a moment after SIGTERM: endpoints are withdrawn from Services while the signal is on its way,
// and a server that closes at once loses what was still sent to it. Real servers do the same with a preStop hook.
func drain(server *http.Server, drained chan<- struct{}) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
	time.Sleep(10 * time.Second)
	_ = server.Shutdown(context.Background())
	close(drained)
}

func after(wait string, do func()) {
	if wait != "" {
		time.AfterFunc(duration(wait), do)
	}
}

func duration(text string) time.Duration {
	if text == "" {
		return 0
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		fail("duration", err)
	}
	return parsed
}

// memory takes as many MiB as asked, and touches them.
func memory(mebibytes string) []byte {
	if mebibytes == "" {
		return nil
	}
	count, err := strconv.Atoi(mebibytes)
	if err != nil {
		fail("MEMORY", err)
	}
	held := make([]byte, count<<20)
	for at := 0; at < len(held); at += 4096 {
		held[at] = 1
	}
	return held
}

func meet(name, value string) error {
	switch name {
	case "root":
		if os.Getuid() != 0 {
			return fmt.Errorf("uid is %d", os.Getuid())
		}
		return nil
	case "write":
		return os.WriteFile(value+"/needed", []byte("x"), 0o600)
	case "chown":
		file := value + "/needed-chown"
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		return os.Chown(file, 101, 101)
	case "setuid":
		return syscall.Setuid(101)
	case "netraw":
		socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
		if err == nil {
			_ = syscall.Close(socket)
		}
		return err
	case "keyctl":
		return answered(syscall.Syscall(sysKeyctl, 0, 0xfffffffd, 1)) // KEYCTL_GET_KEYRING_ID of the session
	case "iouring":
		var parameters [128]byte
		descriptor, _, errno := syscall.Syscall(sysIoUringSetup, 1, pointer(&parameters), 0)
		if errno == 0 {
			_ = syscall.Close(int(descriptor))
		}
		return answered(0, 0, errno)
	case "token":
		_, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/token")
		return err
	case "tcp":
		return dial(value)
	default:
		return fmt.Errorf("unknown need")
	}
}

func dial(address string) error {
	connection, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err == nil {
		_ = connection.Close()
	}
	return err
}

func answered(_, _ uintptr, errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

func fail(what string, err error) {
	if err != nil {
		what += ": " + err.Error()
	}
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}
