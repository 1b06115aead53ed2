package topologytest

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"time"
)

// Run runs a program of exec.CommandContext until it has printed a line of which enough is true, and ends it. Its error is that of
// the start, or what a program said that ended before.
func Run(cmd *exec.Cmd, enough func(line string) bool) error {
	var says bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &says, 5*time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := false
	for lines := bufio.NewScanner(out); !done && lines.Scan(); {
		done = enough(lines.Text())
	}
	_ = cmd.Cancel()
	_ = cmd.Wait() // it was ended, or the next line tells
	if !done {
		return fmt.Errorf("it ended too early, and says:\n%s", says.String())
	}
	return nil
}
