{{/* Names and arguments of what makes the webhook's certificate. */}}

{{- define "hetero.certificateArguments" -}}
- certificate
- --namespace={{ .Release.Namespace }}
- --secret={{ include "hetero.fullname" . }}-webhook
- --service={{ include "hetero.fullname" . }}-scheduler
- --webhook=pods.hetero.io
- --days={{ .Values.webhook.certificate.days }}
- --label=app.kubernetes.io/name={{ include "hetero.name" . }}
- --label=app.kubernetes.io/instance={{ .Release.Name }}
{{- end -}}

{{/*
The account of a job that makes the certificate, and its rights: (dict "top" . "component" "certificate" "annotations" "...").
Helm needs one before the release is there, which it removes again, and the daily job has one of its own.
*/}}
{{- define "hetero.certificateAccount" -}}
{{- $name := printf "%s-%s" (include "hetero.fullname" .top) .component -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ .top.Release.Namespace | quote }}
  labels: {{- include "hetero.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ .top.Release.Namespace | quote }}
  labels: {{- include "hetero.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
rules:
  - apiGroups: [""]
    resources: [secrets]
    # The first certificate. A right to create cannot be given for one name.
    verbs: [create]
  - apiGroups: [""]
    resources: [secrets]
    resourceNames: [{{ include "hetero.fullname" .top }}-webhook]
    # Is it old? Then a new one in its place. No other Secret can be read.
    verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ .top.Release.Namespace | quote }}
  labels: {{- include "hetero.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ .top.Release.Namespace | quote }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels: {{- include "hetero.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
rules:
  - apiGroups: [admissionregistration.k8s.io]
    resources: [mutatingwebhookconfigurations]
    resourceNames: [pods.hetero.io]
    # Whom the API server trusts: looked at, and written when it is another. No other webhook can be changed.
    verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels: {{- include "hetero.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ .top.Release.Namespace | quote }}
{{- end -}}
