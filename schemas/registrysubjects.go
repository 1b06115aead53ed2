package schemas

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

func (r *memoryRegistry) getSubjects(*http.Request) (any, error) {
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(r.subjects)) {
		if len(r.live(name)) > 0 {
			out = append(out, name)
		}
	}
	return out, nil
}

// version finds a version by number, "latest" or "-1".
func (r *memoryRegistry) version(subject, word string) (registryVersion, error) {
	live := r.live(subject)
	if len(live) == 0 {
		return registryVersion{}, notFound(40401, "subject %q not found", subject)
	}
	if word == "latest" || word == "-1" {
		return live[len(live)-1], nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 {
		return registryVersion{}, invalid(42202, "version %q is neither a positive number nor \"latest\"", word)
	}
	for _, v := range live {
		if v.version == n {
			return v, nil
		}
	}
	return registryVersion{}, notFound(40402, "version %d of subject %q not found", n, subject)
}

func (r *memoryRegistry) show(subject string, v registryVersion) registrySchema {
	s := r.schemas[v.id-1]
	return registrySchema{Subject: subject, Version: v.version, ID: v.id, References: s.references, Schema: s.text}
}

func (r *memoryRegistry) getVersions(req *http.Request) (any, error) {
	if _, err := r.version(req.PathValue("subject"), "latest"); err != nil {
		return nil, err
	}
	out := []int{}
	for _, v := range r.live(req.PathValue("subject")) {
		out = append(out, v.version)
	}
	return out, nil
}

func (r *memoryRegistry) getVersion(req *http.Request) (any, error) {
	v, err := r.version(req.PathValue("subject"), req.PathValue("version"))
	if err != nil {
		return nil, err
	}
	return r.show(req.PathValue("subject"), v), nil
}

func (r *memoryRegistry) getVersionText(req *http.Request) (any, error) {
	v, err := r.version(req.PathValue("subject"), req.PathValue("version"))
	if err != nil {
		return nil, err
	}
	return json.RawMessage(r.schemas[v.id-1].text), nil
}

func (r *memoryRegistry) postLookup(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	if _, err := r.version(subject, "latest"); err != nil {
		return nil, err
	}
	s, err := r.posted(req)
	if err != nil {
		return nil, err
	}
	v, ok := r.find(subject, s)
	if !ok {
		return nil, notFound(40403, "schema not found under subject %q", subject)
	}
	return r.show(subject, v), nil
}

func (r *memoryRegistry) postVersion(req *http.Request) (any, error) {
	s, err := r.posted(req)
	if err != nil {
		return nil, err
	}
	id, err := r.register(req.PathValue("subject"), s)
	return map[string]int{"id": id}, err
}

// deleteVersion hides a version; bytes written with it stay readable, as ids are never taken back.
func (r *memoryRegistry) deleteVersion(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	v, err := r.version(subject, req.PathValue("version"))
	if err != nil {
		return nil, err
	}
	all := r.subjects[subject].versions
	all[slices.Index(all, v)].deleted = true
	return v.version, nil
}

func (r *memoryRegistry) deleteSubject(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	live := r.live(subject)
	if len(live) == 0 && !(req.URL.Query().Get("permanent") == "true" && r.subjects[subject] != nil) {
		return nil, notFound(40401, "subject %q not found", subject)
	}
	out := []int{}
	for i := range r.subjects[subject].versions {
		r.subjects[subject].versions[i].deleted = true
		out = append(out, r.subjects[subject].versions[i].version)
	}
	return out, nil
}

func (r *memoryRegistry) getConfig(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	level := r.level
	if subject != "" {
		sub := r.subjects[subject]
		switch {
		case sub != nil && sub.level != "":
			level = sub.level
		case req.URL.Query().Get("defaultToGlobal") != "true":
			return nil, notFound(40408, "subject %q has no compatibility of its own", subject)
		}
	}
	return map[string]string{"compatibilityLevel": level}, nil
}

func (r *memoryRegistry) putConfig(req *http.Request) (any, error) {
	var body struct {
		Compatibility string `json:"compatibility"`
	}
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil || !slices.Contains(compatibilityLevels, body.Compatibility) {
		return nil, invalid(42203, "compatibility %q is none of %v", body.Compatibility, compatibilityLevels)
	}
	if subject := req.PathValue("subject"); subject != "" {
		r.subject(subject).level = body.Compatibility
	} else {
		r.level = body.Compatibility
	}
	return map[string]string{"compatibility": body.Compatibility}, nil
}

func (r *memoryRegistry) deleteConfig(req *http.Request) (any, error) {
	sub := r.subjects[req.PathValue("subject")]
	if sub == nil || sub.level == "" {
		return nil, notFound(40401, "subject %q has no compatibility of its own", req.PathValue("subject"))
	}
	was := sub.level
	sub.level = ""
	return map[string]string{"compatibilityLevel": was}, nil
}

// postCompatibility tests a schema against one version, or against what registering it would test.
func (r *memoryRegistry) postCompatibility(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	s, err := r.posted(req)
	if err != nil {
		return nil, err
	}
	earlier := r.live(subject)
	if word := req.PathValue("version"); word != "" {
		v, err := r.version(subject, word)
		if err != nil {
			return nil, err
		}
		earlier = []registryVersion{v}
	}
	faults := r.incompatible(subject, s, earlier)
	out := map[string]any{"is_compatible": len(faults) == 0}
	if req.URL.Query().Get("verbose") == "true" {
		out["messages"] = append([]string{}, faults...)
	}
	return out, nil
}
