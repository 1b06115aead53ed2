package schemas

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// maxSchemaBody is the largest request the registry reads: a schema is text written by people.
const maxSchemaBody = 4 << 20

// NewMemoryRegistry is an empty schema registry in this process for the embedded mode, speaking Confluent's API:
// subjects, versions, ids, config, compatibility, references; Avro only. It checks compatibility as a real one does:
// BACKWARD unless configured, 409 for what is not. What it knows ends with the process. Safe for concurrent use.
func NewMemoryRegistry() http.Handler {
	r := &memoryRegistry{subjects: map[string]*registrySubject{}, level: "BACKWARD"}
	mux := http.NewServeMux()
	for pattern, h := range map[string]registryHandler{
		"GET /{$}":                                                  func(*http.Request) (any, error) { return struct{}{}, nil },
		"GET /schemas/types":                                        func(*http.Request) (any, error) { return []string{"AVRO"}, nil },
		"GET /schemas/ids/{id}":                                     r.getID,
		"GET /schemas/ids/{id}/schema":                              r.getIDText,
		"GET /schemas/ids/{id}/versions":                            r.getIDVersions,
		"GET /schemas/ids/{id}/subjects":                            r.getIDSubjects,
		"GET /subjects":                                             r.getSubjects,
		"POST /subjects/{subject}":                                  r.postLookup,
		"DELETE /subjects/{subject}":                                r.deleteSubject,
		"GET /subjects/{subject}/versions":                          r.getVersions,
		"POST /subjects/{subject}/versions":                         r.postVersion,
		"GET /subjects/{subject}/versions/{version}":                r.getVersion,
		"GET /subjects/{subject}/versions/{version}/schema":         r.getVersionText,
		"DELETE /subjects/{subject}/versions/{version}":             r.deleteVersion,
		"GET /config":                                               r.getConfig,
		"PUT /config":                                               r.putConfig,
		"GET /config/{subject}":                                     r.getConfig,
		"PUT /config/{subject}":                                     r.putConfig,
		"DELETE /config/{subject}":                                  r.deleteConfig,
		"GET /mode":                                                 func(*http.Request) (any, error) { return map[string]string{"mode": "READWRITE"}, nil },
		"POST /compatibility/subjects/{subject}/versions":           r.postCompatibility,
		"POST /compatibility/subjects/{subject}/versions/{version}": r.postCompatibility,
	} {
		mux.HandleFunc(pattern, r.answer(h))
	}
	return mux
}

// registryHandler answers one request; the registry is locked meanwhile.
type registryHandler func(*http.Request) (any, error)

func (r *memoryRegistry) answer(h registryHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, maxSchemaBody)
		r.mu.Lock()
		body, err := h(req)
		r.mu.Unlock()
		status := http.StatusOK
		if err != nil {
			fault := &registryFault{http.StatusInternalServerError, 50001, err.Error()}
			errors.As(err, &fault)
			status, body = fault.status, map[string]any{"error_code": fault.code, "message": fault.message}
		}
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // the client went away: there is nobody to tell
	}
}

// registrySchema is a schema as the API writes it.
type registrySchema struct {
	Subject    string              `json:"subject,omitempty"`
	Version    int                 `json:"version,omitempty"`
	ID         int                 `json:"id,omitempty"`
	SchemaType string              `json:"schemaType,omitempty"` // absent for Avro
	References []registryReference `json:"references,omitempty"`
	Schema     string              `json:"schema"`
}

// posted reads the schema of a request.
func (r *memoryRegistry) posted(req *http.Request) (registered, error) {
	var body registrySchema
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		return registered{}, &registryFault{http.StatusBadRequest, 400, "body is not a schema request: " + err.Error()}
	}
	return r.parse(body.Schema, body.SchemaType, body.References)
}

func (r *memoryRegistry) byID(req *http.Request) (int, error) {
	id, err := strconv.Atoi(req.PathValue("id"))
	if err != nil || id < 1 || id > len(r.schemas) {
		return 0, notFound(40403, "schema %s not found", req.PathValue("id"))
	}
	return id, nil
}

func (r *memoryRegistry) getID(req *http.Request) (any, error) {
	id, err := r.byID(req)
	if err != nil {
		return nil, err
	}
	s := r.schemas[id-1]
	return registrySchema{Schema: s.text, References: s.references}, nil
}

func (r *memoryRegistry) getIDText(req *http.Request) (any, error) {
	id, err := r.byID(req)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(r.schemas[id-1].text), nil
}

func (r *memoryRegistry) getIDVersions(req *http.Request) (any, error) {
	id, err := r.byID(req)
	if err != nil {
		return nil, err
	}
	type use struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	out := []use{}
	for _, name := range slices.Sorted(maps.Keys(r.subjects)) {
		for _, v := range r.live(name) {
			if v.id == id {
				out = append(out, use{name, v.version})
			}
		}
	}
	return out, nil
}

func (r *memoryRegistry) getIDSubjects(req *http.Request) (any, error) {
	id, err := r.byID(req)
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(r.subjects)) {
		if slices.ContainsFunc(r.live(name), func(v registryVersion) bool { return v.id == id }) {
			out = append(out, name)
		}
	}
	return out, nil
}
