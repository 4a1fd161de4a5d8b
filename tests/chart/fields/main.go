// Prints the fields of the API's kinds that the chart uses, as the Go types of k8s.io/api have them: type to field to
// the field's type, "" where nothing is below it. Run by hand when the oldest supported Kubernetes changes:
//
//	go mod edit -require=k8s.io/api@v0.30.14 && go mod tidy && go run . >../kubernetes-1.30.json
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
)

var kinds = map[string]any{
	"v1/ConfigMap":      core.ConfigMap{},
	"v1/Service":        core.Service{},
	"v1/ServiceAccount": core.ServiceAccount{},
	"apps/v1/DaemonSet": apps.DaemonSet{}, "apps/v1/Deployment": apps.Deployment{},
	"batch/v1/CronJob": batch.CronJob{}, "batch/v1/Job": batch.Job{},
	"policy/v1/PodDisruptionBudget":                                    policy.PodDisruptionBudget{},
	"rbac.authorization.k8s.io/v1/ClusterRole":                         rbac.ClusterRole{},
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding":                  rbac.ClusterRoleBinding{},
	"rbac.authorization.k8s.io/v1/Role":                                rbac.Role{},
	"rbac.authorization.k8s.io/v1/RoleBinding":                         rbac.RoleBinding{},
	"admissionregistration.k8s.io/v1/MutatingWebhookConfiguration":     admission.MutatingWebhookConfiguration{},
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy":        admission.ValidatingAdmissionPolicy{},
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": admission.ValidatingAdmissionPolicyBinding{},
}

var found = map[string]map[string]string{}

// What is written as one word although it is a struct.
var words = map[string]bool{"Time": true, "MicroTime": true, "Quantity": true, "IntOrString": true, "FieldsV1": true}

// walk notes a type and returns its name; "" for words, numbers and maps of them.
func walk(t reflect.Type) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || words[t.Name()] {
		return ""
	}
	parts := strings.Split(t.PkgPath(), "/")
	name := strings.Join(append(parts[len(parts)-2:], t.Name()), "/")
	if found[name] == nil {
		found[name] = map[string]string{}
		note(t, found[name])
	}
	return name
}

func note(t reflect.Type, fields map[string]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if strings.Contains(options, "inline") || (field.Anonymous && name == "") {
			note(field.Type, fields)
		} else if name != "" && name != "-" {
			fields[name] = walk(field.Type)
		}
	}
}

func main() {
	roots := map[string]string{}
	for kind, value := range kinds {
		roots[kind] = walk(reflect.TypeOf(value))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(map[string]any{"kinds": roots, "types": found}); err != nil {
		panic(err)
	}
}
