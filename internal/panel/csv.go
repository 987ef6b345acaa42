package panel

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strings"
)

// defuse keeps a spreadsheet from taking a cell for a formula: what begins as one
// does is preceded by an apostrophe. What comes in may begin so even behind white
// space, which some programs skip.
func defuse(cell string) string {
	if trimmed := strings.TrimLeft(cell, " \u00a0\ufeff"); trimmed != "" && strings.ContainsAny(trimmed[:1], "=+-@\t\r\n") || strings.HasPrefix(trimmed, "＝") ||
		strings.HasPrefix(trimmed, "＋") || strings.HasPrefix(trimmed, "－") || strings.HasPrefix(trimmed, "＠") {
		return "'" + cell
	}
	return cell
}

// encodeCSV encodes rows as RFC 4180 says: CRLF, quotes where they are needed.
func encodeCSV(rows [][]string) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = defuse(cell)
		}
		if err := w.Write(safe); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// sendCSV answers with a file.
func sendCSV(w http.ResponseWriter, name string, rows [][]string) error {
	data, err := encodeCSV(rows)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(data) // who asked may be gone
	return nil
}
