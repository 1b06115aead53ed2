package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Plans is a folder of plans and what people decided about them. Only its user may read it. Safe for concurrent use, by
// several processes too.
type Plans struct{ dir string }

// Approval is a person's yes to one plan.
type Approval struct {
	Plan string    `json:"plan"` // id
	Who  string    `json:"who"`
	Why  string    `json:"why"`
	At   time.Time `json:"at"`
}

// Why a plan is not carried out.
var (
	ErrNoPlan      = errors.New("there is no such plan")
	ErrNotApproved = errors.New("nobody has approved this plan: a person does, with seam mcp approve")
	ErrApplied     = errors.New("this plan was used already: make a new one")
	ErrChanged     = errors.New("what was planned has changed since: make a new plan")
)

// OpenPlans opens or makes the folder of plans in a data folder.
func OpenPlans(data string) (*Plans, error) {
	dir := filepath.Join(data, "plans")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("plans: %w", err)
	}
	return &Plans{dir}, nil
}

var planID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// The endings of a plan's files.
const (
	planned  = ".plan.json"
	approved = ".approved.json"
	applied  = ".applied.json"
)

func (p *Plans) path(id, ending string) string { return filepath.Join(p.dir, id+ending) }

// put keeps a plan. One that is kept already is left alone.
func (p *Plans) put(plan Plan) error {
	err := p.create(p.path(plan.ID, planned), plan)
	if errors.Is(err, fs.ErrExist) {
		_, err = p.Plan(plan.ID)
	}
	return err
}

// create writes v to a file that must not be there: whole, or not at all.
func (p *Plans) create(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(p.dir, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path) // fails where the name is taken
}

// Plan reads a plan; ErrNoPlan for an id that none has, and for a file whose content has another.
func (p *Plans) Plan(id string) (Plan, error) {
	var plan Plan
	if !planID.MatchString(id) {
		return plan, ErrNoPlan
	}
	if err := read(p.path(id, planned), &plan); errors.Is(err, fs.ErrNotExist) {
		return plan, ErrNoPlan
	} else if err != nil {
		return plan, err
	}
	if plan.ID != id || plan.hash() != id {
		return plan, fmt.Errorf("%w: the file of %s holds another", ErrNoPlan, id)
	}
	return plan, nil
}

// Approve keeps a person's yes to a plan. It fails without who and why, and for a plan that was approved or used before.
func (p *Plans) Approve(a Approval) (Plan, error) {
	plan, err := p.Plan(a.Plan)
	if err != nil {
		return plan, err
	}
	if strings.TrimSpace(a.Who) == "" || strings.TrimSpace(a.Why) == "" {
		return plan, errors.New("who approves, and why? Both are recorded in the outcomes")
	}
	if _, err := os.Stat(p.path(plan.ID, applied)); err == nil {
		return plan, ErrApplied
	}
	if err := p.create(p.path(plan.ID, approved), a); errors.Is(err, fs.ErrExist) {
		return plan, errors.New("this plan is approved already")
	} else if err != nil {
		return plan, err
	}
	return plan, nil
}

// approval is the yes to a plan, which was not used yet.
func (p *Plans) approval(plan Plan) (Approval, error) {
	var a Approval
	err := read(p.path(plan.ID, approved), &a)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, ErrNotApproved
	case err != nil:
		return a, err
	case a.Plan != plan.ID || a.Who == "" || a.Why == "":
		return a, ErrNotApproved
	}
	if _, err := os.Stat(p.path(plan.ID, applied)); err == nil {
		return a, ErrApplied
	}
	return a, nil
}

// use marks a plan as used: of many who try, one succeeds and the others get ErrApplied.
func (p *Plans) use(plan Plan, at time.Time) error {
	err := p.create(p.path(plan.ID, applied), map[string]any{"plan": plan.ID, "at": at.UTC()})
	if errors.Is(err, fs.ErrExist) {
		return ErrApplied
	}
	return err
}

func read(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
