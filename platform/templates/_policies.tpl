{{- /* What all policies share: they judge provision alone, and what cannot be judged is refused. */}}
{{- define "policy.common" -}}
failurePolicy: Fail
matchConditions:
  - name: provision
    expression: {{ printf "request.userInfo.username == '%s'" (include "identity.provisionUser" .) | quote }}
{{- end }}

{{- /* The binding that puts a policy in force everywhere. Call with (dict "root" $ "name" NAME). */}}
{{- define "policy.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "platform.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end }}

{{- /* The UUID pattern of a store's id, as in control_plane/domain/store.py. */}}
{{- define "policy.uuid" -}}
[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
{{- end }}
