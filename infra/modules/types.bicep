// The types that templates share.

@export()
@description('Tags of a resource, by their names.')
type tagsByName = {
  *: string
}

@export()
@description('How many requests in a minute an instance answers: docs/settings.md. What is not given is as the registry has it.')
@sealed()
type requestLimits = {
  read: int?
  readTotal: int?
  write: int?
  writeTotal: int?
  delete: int?
  deleteTotal: int?
  referrers: int?
  referrersTotal: int?
  signIn: int?
  signInTotal: int?
}

@export()
@description('A resource that gets a private endpoint.')
type privateService = {
  @description('What its endpoint is called by.')
  key: string
  id: string
  @description('The part of the resource that is reached, as Azure calls it.')
  kind: string
  @description('The DNS zone in which it is found.')
  zone: string
}
