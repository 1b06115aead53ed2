package producers

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/binaryandbeyond/seam/topology"
)

// The refusals of receive.
const (
	errMethod       refusal = "method"
	errContentType  refusal = "content_type"
	errBodyTooLarge refusal = "too_large"
	errBody         refusal = "unreadable"
	errSlow         refusal = "too_slow"
	errRate         refusal = "rate"
)

// receive reads the request's body within its limits. A nil delivery without an error needs no record.
func (e *Edge) receive(w http.ResponseWriter, req *http.Request, in *inlet) (*delivery, int, error) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, errMethod
	}
	limit := int64(in.source.MaxBody)
	if limit <= 0 {
		limit = 1 << 20
	}
	if req.ContentLength > limit {
		return nil, http.StatusRequestEntityTooLarge, errBodyTooLarge
	}
	body, err := readBody(http.MaxBytesReader(w, req.Body, limit), req.ContentLength)
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, http.StatusRequestEntityTooLarge, errBodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout, errSlow
	case err != nil:
		return nil, http.StatusBadRequest, errBody
	}
	contentType := req.Header.Get("Content-Type")
	if in.source.Platform == topology.WooCommerce && isWooPing(contentType, body) {
		return nil, 0, nil
	}
	if !isJSON(contentType) {
		return nil, http.StatusUnsupportedMediaType, errContentType
	}
	return &delivery{source: in.source, header: req.Header, body: body, trace: e.continued(req.Header), shapes: e.cfg.Contracts}, 0, nil
}

// readBody reads to the end, into memory of the announced size as far as that costs little to believe.
func readBody(r io.Reader, announced int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(max(announced, 0), 64<<10)) + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

func isJSON(contentType string) bool {
	if contentType == "application/json" { // as nearly all write it
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
