package deliver

import (
	"mime"
	"strings"

	"github.com/binaryandbeyond/seam/contract"
)

// observe counts an answer's status, and looks at the shape of one that says yes: what a refusal says is for people.
func observe(s *contract.Subject, got reply, class Class) {
	s.Answered(got.status, class != Contract)
	if s == nil || class != Delivered && class != AlreadyDone || got.broken || len(got.body) == 0 || len(got.body) >= maxAnswer {
		return
	}
	media, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err == nil && media != "application/json" && !strings.HasSuffix(media, "+json") && media != "text/plain" { // as some call their JSON
		return
	}
	if !s.Wants() {
		return
	}
	if v, err := contract.Read(got.body); err == nil {
		s.See(v)
	}
}
