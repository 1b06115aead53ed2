package topology

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
)

// CarryConfig is how a plan is carried out and written down.
type CarryConfig struct {
	Topology    *Topology
	Client      *kgo.Client
	Registry    *sr.Client
	Files       map[string]string // Fingerprint of the files
	Who         string            // who applies it
	AllowDanger bool
	Now         func() time.Time // our clock. Default time.Now
	// Made is called after each change, one at a time; nil for nobody.
	Made func(Change)
}

// recordLimit is for the last record of an application whose context has ended.
const recordLimit = 5 * time.Second

// Carry is Apply with a record of who applied what, and with the dangerous changes refused (ErrDanger) unless they are allowed.
// The record is written as begun once the topic `topology` is there, and as done or failed at the end. A plan of nothing leaves
// no record.
func Carry(ctx context.Context, c CarryConfig, plan []Change) error {
	if err := refused(plan); err != nil {
		return err
	}
	switch {
	case Has(plan, Danger) && !c.AllowDanger:
		return ErrDanger
	case len(plan) == 0:
		return nil
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &applying{t: c.Topology, client: c.Client, adm: kadm.NewClient(c.Client), registry: c.Registry, serde: schemas.NewSerde(c.Registry), who: c.Who, now: c.Now, made: c.Made}
	at := c.Now().UTC()
	record := Applied{ID: at.Format("20060102T150405.000Z") + "-" + strings.ToLower(rand.Text()[:6]), At: at, Who: c.Who, State: "begun", Environment: c.Topology.Environment,
		Files: c.Files, Principals: c.Topology.PrincipalNames(), Changes: plan}
	first := 0 // the topic of the record and the claim come before it
	for first < len(plan) && (plan[first].Step == Claim || plan[first].Step == CreateTopic && plan[first].Name == c.Topology.TopicName(TopicTopology)) {
		first++
	}
	if err := a.run(ctx, plan[:first]); err != nil {
		return err
	}
	if err := c.Topology.write(ctx, c.Client, "applied/"+record.ID, record); err != nil {
		return err
	}
	err := a.run(ctx, plan[first:])
	record.State = "done"
	if err != nil {
		record.State, record.Error = "failed", err.Error()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	if werr := c.Topology.write(last, c.Client, "applied/"+record.ID, record); err == nil {
		err = werr
	}
	return err
}

// Fingerprint is the SHA-256 of every topology file but tests, by name, and of every schema that Seam itself brings ("schema order_event").
func Fingerprint(fsys fs.FS) (map[string]string, error) {
	out := map[string]string{}
	for _, dir := range []string{".", "sources", "integrations", "subscribers"} {
		names, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
		if err != nil {
			return nil, err
		}
		for _, name := range slices.DeleteFunc(names, isTest) {
			text, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, fmt.Errorf("fingerprint of %s: %w", name, err)
			}
			out[name] = sum(text)
		}
	}
	for _, name := range schemas.SchemaNames() {
		out["schema "+name] = sum([]byte(schemas.SchemaText(name)))
	}
	return out, nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
