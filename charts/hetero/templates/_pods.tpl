{{/* What the chart's pods have in common. */}}

{{/* A container that needs no right of its own: it writes nothing but what is mounted for it. */}}
{{- define "hetero.unprivileged" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Where a process may write: (dict "name" "tmp" "size" "64Mi"). */}}
{{- define "hetero.scratch" -}}
- name: {{ .name }}
  emptyDir:
    sizeLimit: {{ .size }}
{{- end -}}

{{/*
Installs packages where Python looks for those of its user: (dict "top" . "image" "..." "packages" (list ...)). hetero
itself is in the image, so pip does not look for it elsewhere.
*/}}
{{- define "hetero.installer" -}}
- name: packages
  image: {{ .image | quote }}
  imagePullPolicy: {{ .top.Values.imagePullPolicy }}
  command: [python3, -m, pip, install, --user, --no-cache-dir, --disable-pip-version-check]
  args: {{ toJson .packages }}
  env:
    - name: PYTHONUSERBASE
      value: /packages
    # The image may be made from a distribution, whose pip would refuse to add to it; nothing is added to the image.
    - name: PIP_BREAK_SYSTEM_PACKAGES
      value: "1"
    - name: HOME
      value: /tmp
    {{- range $name, $value := .top.Values.packages.env }}
    - name: {{ $name }}
      value: {{ toString $value | quote }}
    {{- end }}
  securityContext: {{- include "hetero.unprivileged" .top | nindent 4 }}
  volumeMounts:
    - name: packages
      mountPath: /packages
    - name: tmp
      mountPath: /tmp
{{- end -}}

{{/* A job of the chart: (dict "top" . "component" "certificate" "account" "..." "arguments" (list ...)). */}}
{{- define "hetero.job" -}}
metadata:
  labels: {{- include "hetero.labels" . | nindent 4 }}
spec:
  restartPolicy: OnFailure
  serviceAccountName: {{ .account }}
  {{- with .top.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .top.Values.scheduler.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .top.Values.scheduler.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .top.Values.scheduler.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "hetero.schedulerImage" .top | quote }}
      imagePullPolicy: {{ .top.Values.imagePullPolicy }}
      command: [hetero]
      args: {{- toYaml .arguments | nindent 8 }}
      {{- with .top.Values.jobs.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {{- include "hetero.unprivileged" .top | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
  volumes:
    {{- include "hetero.scratch" (dict "name" "tmp" "size" "64Mi") | nindent 4 }}
{{- end -}}
