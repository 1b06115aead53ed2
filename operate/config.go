package operate

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// Config says what is written, and for whom.
type Config struct {
	Topology *topology.Topology // its Team must be set: it is paged for Kafka and Seam itself
	// Scale multiplies every duration that the package chooses: how long a rule waits, over what it looks. It should be the
	// topology's own TimeScale. Default 1.
	Scale float64
	// Job is the job under which Prometheus scrapes Seam. Default "seam".
	Job string
	// Runbooks is the URL of the folder with the runbooks. Default "docs/runbooks".
	Runbooks string
	// Secrets is the folder in which Alertmanager finds its keys, a file each. Default "/etc/alertmanager/secrets".
	Secrets string
	// Heartbeat is where the dead man's switch goes, outside of all this: an https URL, or file:PATH of a file that holds it
	// (Alertmanager 0.26 or later). Empty: nobody notices when Prometheus or Alertmanager end.
	Heartbeat string
}

// File is one file to be written.
type File struct {
	Name string
	Text []byte
}

// check completes the settings and refuses what nobody could be paged by.
func (c *Config) check() error {
	if c.Scale == 0 {
		c.Scale = 1
	}
	if c.Job == "" {
		c.Job = "seam"
	}
	if c.Runbooks == "" {
		c.Runbooks = "docs/runbooks"
	}
	if c.Secrets == "" {
		c.Secrets = "/etc/alertmanager/secrets"
	}
	c.Runbooks = strings.TrimSuffix(c.Runbooks, "/")
	t := c.Topology
	if t.Team == "" {
		line, _, _ := t.Written("topics.yaml", "team")
		return &topology.Fault{File: "topics.yaml", Line: line, Text: "team is missing: who is paged for Kafka and for Seam itself? Name a team of teams.yaml"}
	}
	if c.Heartbeat != "" {
		if _, err := address(c.Heartbeat); err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
	}
	var errs []error
	for _, name := range sortedKeys(t.Teams) {
		errs = append(errs, c.reachable(t.Teams[name]))
	}
	return errors.Join(errs...)
}

// address is the URL or the file of a URL that a pager, a chat or the heartbeat is.
func address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is no URL") // the error would show it
	case u.Scheme == "file" && u.Opaque+u.Path != "" && u.Host == "":
		u.Path = u.Opaque + u.Path
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("write an https URL, or file:PATH of a file that holds it")
	case u.User != nil:
		return nil, errors.New("it holds a password: keep that in a file")
	}
	return u, nil
}

// d is one of our own durations, scaled, as PromQL and YAML write it.
func (c *Config) d(d time.Duration) string {
	return duration(time.Duration(float64(d) * c.Scale))
}

// duration is as PromQL writes it: 1d, 90m, 15s, 300ms. Below a millisecond it is that.
func duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "0s"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", max(1, d.Milliseconds()))
}

// seconds is a duration as a PromQL number.
func seconds(d time.Duration) string { return number(d.Seconds()) }

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// between holds a duration within bounds.
func between(low, d, high time.Duration) time.Duration { return max(low, min(d, high)) }

// runbook is the address of an alert's page.
func (c *Config) runbook(alert string) string {
	if u, err := url.Parse(c.Runbooks); err == nil && u.Host != "" {
		return u.JoinPath(alert + ".md").String()
	}
	return path.Join(c.Runbooks, alert+".md")
}
