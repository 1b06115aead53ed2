package topology

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
)

// compatibility is the level of our subjects: a later schema must read all that was ever written. Some registries check nothing
// unless told to.
const compatibility = "BACKWARD_TRANSITIVE"

// SubjectState is one subject of a registry.
type SubjectState struct {
	Versions int    // 0: there is no such subject
	Current  bool   // one of them is the schema we write
	Level    string // compatibility of its own; empty where the registry's default holds
	// Unreadable says, field by field, why our schema could not read what was written; empty when it can.
	Unreadable []string
}

// planSubject is what the subject of a topic lacks.
func (t *Topology) planSubject(topic Topic, have State) (refused, registers []Change) {
	if topic.Schema == "" {
		return nil, nil
	}
	subject := topic.Name + "-value"
	got := have.Subjects[subject]
	switch {
	case len(got.Unreadable) > 0:
		return []Change{{Step: Refuse, Mark: Refused, Name: subject, Key: "schema", Want: topic.Schema,
			Why: fmt.Sprintf("the schema %s cannot read what was written: %s; give new fields a default, and never change a type", topic.Schema, strings.Join(got.Unreadable, "; "))}}, nil
	case !got.Current:
		return nil, []Change{{Step: RegisterSchema, Mark: Safe, Name: subject, Want: topic.Schema, topic: topic}}
	case got.Level != compatibility && got.Level != "FULL_TRANSITIVE": // stricter may be somebody's wish
		return nil, []Change{{Step: SetCompatibility, Mark: Safe, Name: subject, Have: got.Level, Want: compatibility, topic: topic}}
	}
	return nil, nil
}

// readSubjects asks which subjects hold our schema, under which level, and whether the others would take it.
func readSubjects(ctx context.Context, t *Topology, registry *sr.Client, st *State) error {
	subjects, err := registry.Subjects(ctx)
	if err != nil {
		return fmt.Errorf("list subjects: %w", err)
	}
	var lock sync.Mutex // guards st.Subjects
	return forEach(t.Topics, func(topic Topic) error {
		subject := topic.Name + "-value"
		if topic.Schema == "" || !slices.Contains(subjects, subject) {
			return nil
		}
		got, err := readSubject(ctx, registry, subject, topic.Schema)
		lock.Lock()
		defer lock.Unlock()
		st.Subjects[subject] = got
		return err
	})
}

func readSubject(ctx context.Context, registry *sr.Client, subject, name string) (got SubjectState, err error) {
	level := registry.Compatibility(ctx, subject)[0]
	if level.Err != nil && !missing(level.Err) {
		return got, fmt.Errorf("compatibility of %s: %w", subject, level.Err)
	} else if level.Err == nil {
		got.Level = level.Level.String()
	}
	versions, err := registry.SubjectVersions(ctx, subject)
	if err != nil && !missing(err) {
		return got, fmt.Errorf("versions of %s: %w", subject, err)
	}
	got.Versions = len(versions)
	schema := sr.Schema{Schema: schemas.SchemaText(name)}
	if _, err := registry.LookupSchema(ctx, subject, schema); err == nil {
		got.Current = true
		return got, nil
	} else if !missing(err) {
		return got, fmt.Errorf("look up %s under %s: %w", name, subject, err)
	}
	for _, v := range versions {
		written, err := registry.SchemaByVersion(ctx, subject, v)
		if err != nil {
			return got, fmt.Errorf("version %d of %s: %w", v, subject, err)
		}
		if len(written.References) > 0 || written.Type != sr.TypeAvro {
			continue // not ours: the registry is asked below
		}
		for _, fault := range schemas.Unreadable(written.Schema.Schema, name) {
			got.Unreadable = append(got.Unreadable, fmt.Sprintf("version %d: %v", v, fault))
		}
	}
	if len(got.Unreadable) > 0 || len(versions) == 0 {
		return got, nil
	}
	check, err := registry.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), subject, -1, schema)
	if err == nil && !check.Is {
		got.Unreadable = append([]string{"the registry says so"}, check.Messages...)
	}
	return got, nil // a registry that cannot check lets the registration decide
}

// missing tells whether a registry said that there is no such thing.
func missing(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
