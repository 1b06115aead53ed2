package producers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// IngestConfig says which saved webhooks go where.
type IngestConfig struct {
	// Source is the webhook source they are of; its first secret signs them.
	Source *topology.Source
	// Dir holds the bodies: every *.json below it, in order of name. The topic is the file's name without its ending
	// ("orders__create.json" is orders/create); headers that were saved too are in "<name>.headers.json", an object.
	Dir string
	// Handler is an edge in this process; URL is that of another ("http://host:8080"). One of them is needed.
	Handler http.Handler
	URL     string
	// Now is the clock of signed timestamps. Default time.Now.
	Now func() time.Time
}

// IngestResult is what became of one file.
type IngestResult struct {
	File        string            `json:"file"`
	Topic       string            `json:"topic,omitempty"`
	Status      int               `json:"status"`
	EventIDs    []schemas.EventID `json:"event_ids,omitempty"`
	Quarantined schemas.EventID   `json:"quarantined,omitempty"`
	Reason      string            `json:"reason,omitempty"`
}

// Report is what became of all files, in order of name.
type Report struct {
	Files       []IngestResult `json:"files"`
	Accepted    int            `json:"accepted"`    // files all of which became events
	Quarantined int            `json:"quarantined"` // files kept with a reason
	Refused     int            `json:"refused"`     // files the edge did not take
}

// Ingest pushes every saved webhook of a folder, signed, through the real edge. The same file is the same delivery each
// time. The error joins files that could not be read or sent; the report holds the others.
func Ingest(ctx context.Context, cfg IngestConfig) (Report, error) {
	p, ok := platforms[cfg.Source.Platform]
	switch {
	case !ok:
		return Report{}, fmt.Errorf("ingest: source %s is of platform %s, which takes no webhooks: put its files into its folder", cfg.Source.Name, cfg.Source.Platform)
	case len((&delivery{source: cfg.Source}).textKeys()) == 0:
		return Report{}, fmt.Errorf("ingest: source %s has no secret to sign with", cfg.Source.Name)
	case cfg.Handler == nil && cfg.URL == "":
		return Report{}, errors.New("ingest: name the edge to send to")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	files, err := savedBodies(cfg.Dir)
	if err != nil {
		return Report{}, err
	}
	var rep Report
	var faults []error
	for _, file := range files {
		res, err := cfg.send(ctx, &p, file)
		if err != nil {
			faults = append(faults, fmt.Errorf("ingest %s: %w", file, err))
			continue
		}
		rep.add(res)
	}
	return rep, errors.Join(faults...)
}

// add counts a result.
func (r *Report) add(res IngestResult) {
	switch {
	case res.Status != http.StatusOK:
		r.Refused++
	case res.Reason != "":
		r.Quarantined++
	default:
		r.Accepted++
	}
	r.Files = append(r.Files, res)
}

// savedBodies lists the files to send, by name.
func savedBodies(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasSuffix(path, ".json") && !strings.HasSuffix(path, ".headers.json") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("ingest: no *.json below %s", dir)
	}
	return files, nil
}

// send signs one body and sends it.
func (cfg *IngestConfig) send(ctx context.Context, p *platform, file string) (IngestResult, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return IngestResult{}, err
	}
	d := &delivery{source: cfg.Source, header: http.Header{}, body: body, received: cfg.Now()}
	if err := d.savedHeaders(strings.TrimSuffix(file, ".json") + ".headers.json"); err != nil {
		return IngestResult{}, err
	}
	topic := strings.TrimSuffix(filepath.Base(file), ".json")
	d.setNew("Content-Type", "application/json")
	p.sign(d, topic)
	target, err := url.JoinPath(cfg.URL, "in", cfg.Source.Name)
	if err != nil {
		return IngestResult{}, err
	}
	if cfg.URL == "" {
		target = "/in/" + url.PathEscape(cfg.Source.Name)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(d.body))
	if err != nil {
		return IngestResult{}, err
	}
	req.Header = d.header
	status, answer, err := cfg.do(req)
	if err != nil {
		return IngestResult{}, err
	}
	res := IngestResult{File: file, Topic: topic, Status: status}
	if status != http.StatusOK {
		res.Reason = strings.TrimSpace(string(answer))
		return res, nil
	}
	if p.plain == "" {
		err = json.Unmarshal(answer, &res)
	} else { // the answer is the platform's: say what the edge made of it
		rep := replyOf(d, p.read(d))
		res.EventIDs, res.Quarantined, res.Reason = rep.EventIDs, rep.Quarantined, rep.Reason
	}
	return res, err
}

func (cfg *IngestConfig) do(req *http.Request) (int, []byte, error) {
	if cfg.Handler != nil {
		rec := &recorder{header: http.Header{}, code: http.StatusOK}
		cfg.Handler.ServeHTTP(rec, req)
		return rec.code, rec.body.Bytes(), nil
	}
	resp, err := outbound.Within().Client(0, nil).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, answer, err
}

// recorder keeps what a handler answers.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header is what the handler sets.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader keeps the status.
func (r *recorder) WriteHeader(code int) { r.code = code }

// Write keeps the body.
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// savedHeaders takes over headers that were saved beside a body; there need be none.
func (d *delivery) savedHeaders(file string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var saved map[string]string
	if err == nil {
		err = json.Unmarshal(content, &saved)
	}
	if err != nil {
		return fmt.Errorf("%s: %w (an object of header names to texts)", file, err)
	}
	for name, v := range saved {
		d.header.Set(name, v)
	}
	return nil
}
