// Lists a card's profiles, downloads a profile, shows its progress and enables it. Needs only Go.
// Usage: download EUICC ACTIVATION-CODE
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"unicode"
)

type change struct {
	ID       int
	State    string
	Result   struct{ ICCID string }
	Error    *struct{ Sentence string }
	Question *struct{ Kind string }
	Pause    *struct {
		Reason string
		Error  *struct{ Sentence string }
	}
}

type problem struct{ Kind, Detail string }

var lpad = http.Client{Transport: &http.Transport{
	DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		path := os.Getenv("LPAD_SOCKET")
		if path == "" {
			path = "/run/lpad/lpad.sock"
		}
		return new(net.Dialer).DialContext(ctx, "unix", path)
	},
}}

// shown returns a text from a card or server without characters that control the terminal.
func shown(text string) string {
	return strings.Map(func(each rune) rune {
		if unicode.IsPrint(each) {
			return each
		}
		return '?'
	}, text)
}

// call sends a request and decodes the answer into `answer`, or returns the problem as an error.
func call(method, path string, body, answer any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		content = nil
	}
	// With a key, Go's client repeats the request if the connection breaks, and lpad carries out the request once.
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	request, err := http.NewRequest(method, "http://lpad"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Idempotency-Key", fmt.Sprintf("%x", key))
	response, err := lpad.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 400 {
		var told problem
		if err := json.NewDecoder(response.Body).Decode(&told); err != nil {
			return err
		}
		return fmt.Errorf("%s: %s", told.Kind, told.Detail)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func showProfiles(euicc string) error {
	var list struct {
		Profiles []struct{ ICCID, State, Nickname, Name string }
	}
	if err := call("GET", "/v1/euiccs/"+euicc+"/profiles", nil, &list); err != nil {
		return err
	}
	for _, each := range list.Profiles {
		name := each.Nickname
		if name == "" {
			name = each.Name
		}
		fmt.Println(shown("profile " + each.ICCID + " " + each.State + " " + name))
	}
	return nil
}

// follow prints a change's progress until the change ends or waits.
func follow(id int) error {
	// 'after=0-0' requests earlier events, too.
	response, err := lpad.Get(fmt.Sprintf("http://lpad/v1/events?change=%d&after=0-0", id))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	event := ""
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		if name == "event" {
			event = value
		}
		if name != "data" {
			continue
		}
		var data struct {
			State       string
			Sent, Total int
		}
		if err := json.Unmarshal([]byte(value), &data); err != nil {
			return err
		}
		if event == "progress" && data.Total > 0 {
			fmt.Printf("%d%%\n", data.Sent*100/data.Total)
		}
		if event == "change" {
			fmt.Printf("change %d: %s\n", id, shown(data.State))
			switch data.State {
			case "done", "failed", "cancelled", "waiting":
				return nil
			}
		}
	}
	return lines.Err()
}

func run(euicc, code string) error {
	if err := showProfiles(euicc); err != nil {
		return err
	}
	var download change
	body := map[string]string{"activation_code": code}
	if err := call("POST", "/v1/euiccs/"+euicc+"/downloads", body, &download); err != nil {
		return err
	}
	if err := follow(download.ID); err != nil {
		return err
	}
	if err := call("GET", fmt.Sprintf("/v1/changes/%d", download.ID), nil, &download); err != nil {
		return err
	}
	if download.State != "done" {
		if download.Error != nil {
			return fmt.Errorf("%s", download.Error.Sentence)
		}
		// A waiting change has a question, or a pause after which lpad continues.
		if download.Question != nil {
			return fmt.Errorf("asked for: %s", download.Question.Kind)
		}
		if download.Pause != nil && download.Pause.Error != nil {
			return fmt.Errorf("%s", download.Pause.Error.Sentence)
		}
		return fmt.Errorf("it is %s", download.State)
	}
	iccid := download.Result.ICCID
	var enable change
	if err := call("POST", "/v1/euiccs/"+euicc+"/profiles/"+iccid+"/enable?wait=240", nil, &enable); err != nil {
		return err
	}
	fmt.Println(shown("enable " + iccid + ": " + enable.State))
	if enable.State != "done" {
		return fmt.Errorf("it is %s", enable.State)
	}
	return showProfiles(euicc)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: download EUICC ACTIVATION-CODE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, shown(err.Error()))
		os.Exit(1)
	}
}
