package panel

import (
	"net/http"
	"strings"

	"livemon/internal/fault"
)

// monitoringData is what the Monitoring page starts from. All that changes comes
// from the API.
type monitoringData struct {
	Page
	Codes []codeText
	Keys  []keyText
}

// codeText is an error code and its sentence.
type codeText struct {
	Code     int
	Sentence string
}

// keyText is what a supervisor may press, and what it does.
type keyText struct {
	Keys []string
	Does string
}

func (p *Panel) monitoring(w http.ResponseWriter, r *http.Request) error {
	d := monitoringData{Page: p.mine(r, "Monitoring"), Keys: p.keys()}
	for _, c := range fault.All() {
		d.Codes = append(d.Codes, codeText{int(c), c.Sentence()})
	}
	return p.render(w, http.StatusOK, "monitoring", d)
}

func (p *Panel) keys() []keyText {
	k := p.opts.Keys
	var out []keyText
	for _, x := range []keyText{
		{k.Monitor, "monitor: nobody hears you"},
		{k.Coach, "coach: only the agent hears you"},
		{k.Barge, "barge: everybody hears you"},
		{k.TakeOver, "disconnect the agent and go on with the customer"},
		{k.Follow, "follow the agent to further calls, or stop that"},
		{k.Say, "say my role"},
	} {
		if len(x.Keys) > 0 && strings.Join(x.Keys, "") != "" {
			out = append(out, x)
		}
	}
	return out
}
