package schemas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// memoryRegistry is the state of an in-process schema registry.
type memoryRegistry struct {
	mu       sync.Mutex
	schemas  []registered // index is the id less 1
	subjects map[string]*registrySubject
	level    string // of subjects that name none
}

// registered is one schema text; its id never changes and is never given twice.
type registered struct {
	text       string
	references []registryReference
	key        string // the text without its layout, and the references: what makes two schemas one
	root       *node
}

type registryReference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// registrySubject is the history of one subject.
type registrySubject struct {
	versions []registryVersion
	level    string // empty: the registry's
}

type registryVersion struct {
	version, id int
	deleted     bool
}

// registryFault is an answer other than 200. Codes: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
type registryFault struct {
	status, code int
	message      string
}

func (f *registryFault) Error() string { return f.message }

func notFound(code int, format string, args ...any) *registryFault {
	return &registryFault{http.StatusNotFound, code, fmt.Sprintf(format, args...)}
}

func invalid(code int, format string, args ...any) *registryFault {
	return &registryFault{http.StatusUnprocessableEntity, code, fmt.Sprintf(format, args...)}
}

// compatibilityLevels are the words of Confluent's config.
var compatibilityLevels = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}

// parse reads what a client posted. References must be registered already.
func (r *memoryRegistry) parse(text, schemaType string, refs []registryReference) (registered, error) {
	if schemaType != "" && schemaType != "AVRO" {
		return registered{}, invalid(42201, "schema type %s: only AVRO is known", schemaType)
	}
	var texts []string
	for _, ref := range refs {
		v, err := r.version(ref.Subject, fmt.Sprint(ref.Version))
		if err != nil {
			return registered{}, invalid(42201, "reference %s: %v", ref.Name, err)
		}
		texts = append(texts, r.withReferences(v.id)...)
	}
	root, err := parseSchema(text, texts...)
	if err == nil {
		err = checkDefaults(root, map[*node]bool{})
	}
	if err != nil {
		return registered{}, invalid(42201, "invalid schema: %v", err)
	}
	if !json.Valid([]byte(text)) {
		text = strconv.Quote(strings.TrimSpace(text)) // a primitive as a bare word
	}
	return registered{text: text, references: refs, key: registryKey(text, refs), root: root}, nil
}

// withReferences is the text of a schema after those it refers to.
func (r *memoryRegistry) withReferences(id int) []string {
	s := r.schemas[id-1]
	var out []string
	for _, ref := range s.references {
		if v, err := r.version(ref.Subject, fmt.Sprint(ref.Version)); err == nil {
			out = append(out, r.withReferences(v.id)...)
		}
	}
	return append(out, s.text)
}

// registryKey is the same for texts that differ only in layout or in the order of members.
func registryKey(text string, refs []registryReference) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return text
	}
	key, err := json.Marshal([]any{v, append([]registryReference{}, refs...)}) // none and an empty list are the same
	if err != nil {
		return text
	}
	return string(key)
}

// checkDefaults tells whether every default of a schema fits its field.
func checkDefaults(n *node, seen map[*node]bool) error {
	if n == nil || seen[n] {
		return nil
	}
	seen[n] = true
	for _, f := range n.fields {
		if f.hasElse {
			if _, err := defaultNative(f.typ, f.orElse, 0); err != nil {
				return under(f.name, fmt.Errorf("bad default: %w", err))
			}
		}
		if err := checkDefaults(f.typ, seen); err != nil {
			return under(f.name, err)
		}
	}
	for _, b := range append([]*node{n.elem}, n.branches...) {
		if err := checkDefaults(b, seen); err != nil {
			return err
		}
	}
	return nil
}

// find is the version of a subject that holds the schema; false when none does.
func (r *memoryRegistry) find(subject string, s registered) (registryVersion, bool) {
	for _, v := range r.live(subject) {
		if r.schemas[v.id-1].key == s.key {
			return v, true
		}
	}
	return registryVersion{}, false
}

// live lists the versions of a subject that are not deleted, oldest first.
func (r *memoryRegistry) live(subject string) []registryVersion {
	sub := r.subjects[subject]
	if sub == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(sub.versions), func(v registryVersion) bool { return v.deleted })
}

// register gives the schema's id under the subject, and takes it in where it is new and compatible.
func (r *memoryRegistry) register(subject string, s registered) (int, error) {
	if v, ok := r.find(subject, s); ok {
		return v.id, nil
	}
	if faults := r.incompatible(subject, s, r.live(subject)); len(faults) > 0 {
		return 0, &registryFault{http.StatusConflict, 409, fmt.Sprintf("schema being registered is incompatible with an earlier schema for subject %q (%s): %s", subject, r.levelOf(subject), strings.Join(faults, "; "))}
	}
	id := 1 + slices.IndexFunc(r.schemas, func(known registered) bool { return known.key == s.key })
	if id == 0 {
		r.schemas = append(r.schemas, s)
		id = len(r.schemas)
	}
	sub := r.subject(subject)
	next := 1
	if n := len(sub.versions); n > 0 {
		next = sub.versions[n-1].version + 1
	}
	sub.versions = append(sub.versions, registryVersion{version: next, id: id})
	return id, nil
}

func (r *memoryRegistry) subject(name string) *registrySubject {
	if r.subjects[name] == nil {
		r.subjects[name] = &registrySubject{}
	}
	return r.subjects[name]
}

func (r *memoryRegistry) levelOf(subject string) string {
	if sub := r.subjects[subject]; sub != nil && sub.level != "" {
		return sub.level
	}
	return r.level
}

// incompatible lists what the subject's level finds between the schema and earlier versions, oldest first.
func (r *memoryRegistry) incompatible(subject string, s registered, earlier []registryVersion) []string {
	level := r.levelOf(subject)
	direction, transitive := strings.CutSuffix(level, "_TRANSITIVE")
	if n := len(earlier); !transitive && n > 1 {
		earlier = earlier[n-1:]
	}
	var out []string
	for _, v := range earlier {
		old := r.schemas[v.id-1].root
		if direction == "BACKWARD" || direction == "FULL" {
			for _, err := range incompatibilities(old, s.root) {
				out = append(out, fmt.Sprintf("new schema cannot read version %d: %v", v.version, err))
			}
		}
		if direction == "FORWARD" || direction == "FULL" {
			for _, err := range incompatibilities(s.root, old) {
				out = append(out, fmt.Sprintf("version %d cannot read the new schema: %v", v.version, err))
			}
		}
	}
	return out
}
