// A Slipway registry: in each location an app of its own on the same module, and over several of
// them an endpoint by DNS. docs/deploy.md explains every parameter.
targetScope = 'subscription'

import { requestLimits, tagsByName } from 'modules/types.bicep'

// ---------------------------------------------------------------------------------------------
// What it is called and where it is

@description('The name of this deployment; the resource group is called rg-<name>.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('The regions. Each gets its own app and storage; what they share is in the first.')
@minLength(1)
param locations string[]

@description('The registry\'s name: letters and digits only, so that `az acr -n` can reach it. The first app is <name>.azurewebsites.net.')
@minLength(5)
@maxLength(34)
param registryName string = 'slipway${uniqueString(subscription().id, environmentName)}'

@description('Tags for every resource.')
param tags tagsByName = {}

// ---------------------------------------------------------------------------------------------
// Who gets in

@description('Whether service principals, users and managed identities of the tenant can sign in.')
param entraSignIn bool = true

@description('The audiences that the registry accepts in an Entra access token, separated by commas. Empty: those of Azure Container Registry and Azure Resource Manager.')
param entraAudiences string = ''

@description('Whether the admin account can sign in.')
param adminUserEnabled bool = false

@description('The admin account\'s name.')
param adminUsername string = 'admin'

@description('The admin account\'s password, at least 16 characters.')
@secure()
param adminPassword string = ''

@description('A second password of the admin account. Both work, so you can replace one while clients use the other.')
@secure()
param adminPassword2 string = ''

@description('Keep the admin account\'s passwords in a Key Vault in each region. Otherwise they are app settings.')
param adminPasswordsInKeyVault bool = true

@description('Use the passwords that an earlier deployment put into the Key Vault of each region. If there are none, the app does not start.')
param keepAdminPassword bool = false

@description('What anybody may pull without sign-in: on (everything), off (nothing), or repositories separated by commas (docs,public/*).')
param anonymousPull string = 'off'

@description('Object id of the operator, who manages tokens and roles with the command line and gets data access to the registry\'s storage. Empty: nobody.')
param operatorPrincipalId string = ''

@description('The type of the operator\'s identity.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorPrincipalType string = 'User'

// ---------------------------------------------------------------------------------------------
// How it behaves

@description('Whether the page that shows the registry in a browser is served.')
@allowed(['on', 'off'])
param ui string = 'on'

@description('The application (client) id of the app registration by which people sign in to the page with Entra ID. Empty: they sign in there with a user name and a password.')
param uiClientId string = ''

@description('Answer a blob with a redirect to its signed address in storage (on), or stream it through the app (off).')
@allowed(['on', 'off'])
param blobRedirect string = 'on'

@description('Whether anything can be deleted.')
@allowed(['on', 'off'])
param deleteEnabled string = 'on'

@description('How long a blob is kept that no manifest uses; at least 1h.')
param gcGrace string = '24h'

@description('A container in which each region makes a backup every day, in a part of its own: https://<account>.blob.core.windows.net/<container>. Empty for none. The identities of the apps need Storage Blob Data Contributor on it.')
param backupTo string = ''

@description('How long an upload session waits for its next bytes.')
param uploadExpiry string = '7d'

@description('How long an instance may answer a read from its memory.')
param cacheTtl string = '5s'

@description('The number of proxies in front of the app that add to X-Forwarded-For. The Functions front end is one of them.')
@minValue(0)
@maxValue(4)
param trustedProxies int = 1

@description('The header in which a proxy of your own, such as Front Door, tells the address of the client: X-Azure-ClientIP. Empty: none.')
param clientAddressHeader string = ''

@description('Whether an instance refuses requests of a client that sends too many in a minute.')
@allowed(['on', 'off'])
param rateLimits string = 'on'

@description('Which requests have a line in the log, of those that leave no audit record: those that failed, were slow or took many storage calls, all, or none.')
@allowed(['failed', 'all', 'off'])
param requestLog string = 'failed'

@description('How many requests in a minute an instance answers, where it is not the default of docs/settings.md: { read: 5000, writeTotal: 0 }. 0 is no limit.')
param requestsPerMinute requestLimits = {}

// ---------------------------------------------------------------------------------------------
// How large it gets

@description('Memory of an instance in MB; docs/limits.md says what it means for the largest layer.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('How many requests an instance serves at once before another is started. Its memory limits how large their bodies may be.')
@minValue(1)
@maxValue(100)
param perInstanceConcurrency int = 2

@description('The number of Python processes of an instance. Two need an instance of 4096 MB.')
@minValue(1)
@maxValue(2)
param workerProcesses int = 1

@description('The most instances that a region may start. Below 40, HTTP can get some more.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('The number of instances that a region keeps running for HTTP; 0 scales to zero.')
@minValue(0)
@maxValue(100)
param alwaysReadyInstances int = 0

@description('When a timer calls /healthz to keep an instance running: an NCRONTAB schedule in UTC (0 */4 6-17 * * 1-5), or off.')
param keepWarm string = 'off'

@description('Whether the registry sends metrics to Azure Monitor: pulls, pushes, errors, latency, bytes.')
param metrics bool = true

@description('How a deployment replaces the instances: all at once, which interrupts requests (Recreate), or in batches (RollingUpdate, a preview).')
@allowed(['Recreate', 'RollingUpdate'])
param siteUpdateStrategy string = 'Recreate'

@description('The largest request body in MiB. It is the largest layer for clients that send a layer in one request.')
@minValue(1)
@maxValue(587)
param requestBodyLimitMiB int = 100

@description('Spread instances and storage over the zones of each region (ZRS).')
param zoneRedundant bool = false

// ---------------------------------------------------------------------------------------------
// Who reaches it

@description('Put each app into a virtual network, and its storage and Key Vault behind private endpoints.')
param privateEndpoints bool = false

@description('Whether the internet can reach the app and the blobs that it redirects to. To switch this off, privateEndpoints must be on.')
param publicAccess bool = true

@description('The addresses (CIDR) that can reach the registry. Empty: all. Only for a single region.')
param allowedIpRanges string[] = []

@description('Web origins whose pages may read the registry in a browser, such as https://ui.example.com. Empty: none.')
param corsOrigins string[] = []

@description('With several regions: remove an unhealthy region from the global endpoint. The probes keep an instance of each region awake, which costs money: see docs/cost.md.')
param probeRegions bool = true

@description('A domain name of your own that leads to the registry, in all regions. Create its TXT record first: see docs/deploy.md.')
param customDomain string = ''

@description('Bind the domain to the apps. Switch this off to keep a binding and a certificate that you made by hand.')
param bindDomain bool = true

@description('Resource id of the Key Vault with the domain\'s certificate. Empty: bind the domain without a certificate.')
param certificateVaultId string = ''

@description('The name of the certificate in that vault.')
param certificateName string = ''

@description('Let Azure issue a free certificate for the domain. Only for a single region that the internet can reach, and after you made the DNS records.')
param managedCertificate bool = false

// ---------------------------------------------------------------------------------------------
// Who hears of it

@description('The e-mail address for alerts. Empty: no alerts are made.')
param alertEmail string = ''

@description('The number of failed sign-ins within 15 minutes that raises an alert.')
@minValue(1)
param failedSignInThreshold int = 50

@description('The most log data in a day, in GB. At this limit, logging stops until the next day.')
@minValue(1)
param logDailyCapGB int = 1

@description('E-mail addresses that are told when the resource group costs more than the budget, separated by commas. Empty: no budget is made.')
param budgetEmails string = ''

@description('The budget of a month, in the currency of the subscription. Nothing stops when it is used up.')
@minValue(1)
param budgetAmount int = 50

@description('The month from which the budget counts, as in 2027-01: the month of the first deployment with a budget, or up to a year later. Azure does not let it be changed, so keep it.')
@maxLength(7)
param budgetStart string = ''

// ---------------------------------------------------------------------------------------------

// The names of the limits. What is not given stays empty, and is as the registry has it.
var noLimits = {
  read: ''
  readTotal: ''
  write: ''
  writeTotal: ''
  delete: ''
  deleteTotal: ''
  referrers: ''
  referrersTotal: ''
  signIn: ''
  signInTotal: ''
}
var limits = union(noLimits, requestsPerMinute)

// How many MiB of bodies an instance survives: docs/limits.md. The heap of the Functions host is
// three quarters of the memory, 250 MB of it are its own, and a byte of a body takes 4.8. Beside the
// heap, each process of Python needs up to 175 MB. Bicep has whole numbers only.
var bodiesOfHeap = (instanceMemoryMB * 75 - 25000) / 480
var bodiesBesideProcesses = (instanceMemoryMB - 400 - 175 * (workerProcesses - 1)) * 10 / 42
// Any request may bring the largest body, so the host takes no more of them at once.
var mostRequests = min(bodiesOfHeap, bodiesBesideProcesses) / requestBodyLimitMiB

var regions = [for location in locations: toLower(replace(location, ' ', ''))]
var repeatedRegions = [for (region, index) in regions: indexOf(regions, region) == index ? '' : region]
var name = toLower(registryName)
var budgetAddresses = [for address in filter(split(budgetEmails, ','), part => !empty(trim(part))): trim(address)]
var appNames = [for (region, index) in regions: index == 0 ? name : '${name}${region}']
var hosts = [for appName in appNames: '${appName}.azurewebsites.net']
var allTags = union(tags, { 'azd-env-name': environmentName })
var isPrivate = privateEndpoints && !publicAccess
var severalRegions = length(regions) > 1

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: regions[0]
  tags: allTags
}

module conditions 'modules/conditions.bicep' = {
  name: 'conditions'
  scope: group
  params: {
    publicAccessOffNeedsPrivateEndpoints: any(publicAccess || privateEndpoints)
    allowedIpRangesIsForOneRegion: any(empty(allowedIpRanges) || !severalRegions)
    adminUserEnabledNeedsAdminPasswordOrKeepAdminPassword: any(!adminUserEnabled || !empty(adminPassword) || (adminPasswordsInKeyVault && keepAdminPassword))
    managedCertificateNeedsCustomDomainInOneOpenRegion: any(!managedCertificate || (!empty(customDomain) && !severalRegions && publicAccess && empty(allowedIpRanges)))
    managedCertificateIsInsteadOfCertificateVaultId: any(!managedCertificate || empty(certificateVaultId))
    keepWarmNeedsNoAllowedIpRanges: any(keepWarm == 'off' || empty(allowedIpRanges))
    requestsPerMinuteHasNamesOfLimits: any(length(limits) == length(noLimits))
    locationsNamesEachRegionOnce: any(empty(join(repeatedRegions, '')))
    instanceMemoryMBHoldsPerInstanceConcurrencyTimesRequestBodyLimitMiB: any(mostRequests >= perInstanceConcurrency)
    twoWorkerProcessesNeedInstanceMemoryMB4096: any(workerProcesses == 1 || instanceMemoryMB == 4096)
    budgetEmailsNeedsBudgetStart: any(empty(budgetEmails) || length(budgetStart) == 7)
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    name: name
    location: regions[0]
    tags: allTags
    dailyCapGB: logDailyCapGB
    alertEmail: alertEmail
    failedSignInThreshold: failedSignInThreshold
  }
}

module budget 'modules/budget.bicep' = if (!empty(budgetEmails)) {
  name: 'budget'
  scope: group
  params: {
    name: name
    emails: budgetAddresses
    amount: budgetAmount
    start: budgetStart
  }
  dependsOn: [conditions]
}

// One after the other: with private endpoints they share DNS zones.
@batchSize(1)
module regional 'modules/region.bicep' = [
  for (location, index) in regions: {
    name: 'region-${location}'
    scope: group
    params: {
      appName: appNames[index]
      location: location
      index: index
      tags: allTags
      // Tokens are for the first name of all; every region knows the others by theirs.
      loginServers: join(concat(empty(customDomain) ? [] : [customDomain], [hosts[index]], filter(hosts, host => host != hosts[index])), ',')
      peers: join(filter(hosts, host => host != hosts[index]), ',')
      entraTenantId: entraSignIn ? tenant().tenantId : ''
      entraAudiences: entraAudiences
      entraAuthority: environment().authentication.loginEndpoint
      adminUserEnabled: adminUserEnabled
      adminUsername: adminUsername
      adminPassword: adminPassword
      adminPassword2: adminPassword2
      adminPasswordsInKeyVault: adminPasswordsInKeyVault
      anonymousPull: anonymousPull
      operatorPrincipalId: operatorPrincipalId
      operatorPrincipalType: operatorPrincipalType
      ui: ui
      uiClientId: uiClientId
      blobRedirect: blobRedirect
      deleteEnabled: deleteEnabled
      gcGrace: gcGrace
      backupTo: backupTo
      uploadExpiry: uploadExpiry
      cacheTtl: cacheTtl
      trustedProxies: trustedProxies
      clientAddressHeader: clientAddressHeader
      rateLimits: rateLimits
      requestLog: requestLog
      limits: requestsPerMinute
      instanceMemoryMB: instanceMemoryMB
      perInstanceConcurrency: perInstanceConcurrency
      mostRequests: mostRequests
      workerProcesses: workerProcesses
      maximumInstanceCount: maximumInstanceCount
      alwaysReadyInstances: alwaysReadyInstances
      keepWarm: keepWarm
      metrics: metrics
      siteUpdateStrategy: siteUpdateStrategy
      requestBodyLimitMiB: requestBodyLimitMiB
      zoneRedundant: zoneRedundant
      privateEndpoints: privateEndpoints
      publicAccess: publicAccess
      allowedIpRanges: allowedIpRanges
      corsOrigins: corsOrigins
      // The first app bears the name that azd deploys to; the others get the same package.
      serviceName: index == 0 ? 'registry' : ''
      insightsName: monitoring.outputs.insightsName
      actionGroupId: monitoring.outputs.actionGroupId
      customDomain: bindDomain ? customDomain : ''
      certificateVaultId: certificateVaultId
      certificateName: certificateName
      managedCertificate: managedCertificate
    }
    dependsOn: [conditions]
  }
]

// Private apps ask each other for keys from network to network: every one with every other. One after
// the other: a network that is being changed takes no peering.
@batchSize(1)
module peerings 'modules/network-peering.bicep' = [
  for pair in range(0, isPrivate ? length(regions) * length(regions) : 0): if (pair / length(regions) != pair % length(regions)) {
    name: 'peering-${pair}'
    scope: group
    params: {
      name: appNames[pair / length(regions)]
      peerName: appNames[pair % length(regions)]
    }
    dependsOn: [regional]
  }
]

module globalEndpoint 'modules/global-endpoint.bicep' = if (severalRegions) {
  name: 'global-endpoint'
  scope: group
  params: {
    name: name
    tags: allTags
    regions: regions
    hosts: hosts
    // Its probes come from the internet.
    probeRegions: probeRegions && publicAccess
  }
}

@description('The login server, for docker login.')
output REGISTRY_LOGIN_SERVER string = empty(customDomain) ? hosts[0] : customDomain

@description('The login server of each region.')
output REGISTRY_REGIONAL_LOGIN_SERVERS string[] = hosts

@description('The apps, for `func azure functionapp publish` and `az functionapp deployment`.')
output REGISTRY_APP_NAMES string[] = appNames

@description('The name that the custom domain\'s CNAME record must point to.')
output REGISTRY_DNS_TARGET string = severalRegions ? globalEndpoint!.outputs.hostName : hosts[0]

@description('The value of the TXT record asuid.<custom domain>, which proves that the domain is yours.')
output REGISTRY_DOMAIN_VERIFICATION_ID string = regional[0].outputs.domainVerificationId

@description('The registry\'s storage accounts, for the command line (RegistryStorage__accountName).')
output REGISTRY_STORAGE_ACCOUNTS string[] = [for (location, index) in regions: regional[index].outputs.registryStorageName]

@description('The resource group.')
output AZURE_RESOURCE_GROUP string = group.name
