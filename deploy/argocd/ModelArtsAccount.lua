-- Argo CD's health of a ModelArtsAccount. Only Lua's base library: no string, no math.
-- argocd-cm.yaml beside it is generated from this file by `make generate`.
local function said(status, message)
  -- Argo CD 3.6 and later shows deletionMessage for an object that is being deleted, and message for all others.
  return { status = status, message = message, deletionMessage = message }
end

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function because(kind)
  local condition = conditions[kind]
  if condition == nil then
    return "the operator has not said anything yet"
  end
  return condition.reason .. ": " .. condition.message
end

if obj.metadata.deletionTimestamp ~= nil then
  -- Up to Argo CD 3.5 this is not run; it then shows "Pending deletion".
  return said("Progressing", "Pending deletion: it goes when no node pool object refers to it any more")
end
if status.observedGeneration ~= obj.metadata.generation then
  return said("Progressing", "waiting for the operator to look at this version of the account")
end
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  return said("Degraded", because("Stalled"))
end
if conditions.Ready ~= nil and conditions.Ready.status == "True" then
  return said("Healthy", because("Ready"))
end
return said("Progressing", because("Ready"))
