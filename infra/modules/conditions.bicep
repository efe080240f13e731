// What parameters need of one another. A deployment that breaks a condition ends here, with its name
// in the message, before it has made anything but the resource group and the logs.
// (The function fail() would do as well; the parser that checkov uses does not know it.)

@description('With both off, nobody could reach the registry.')
@allowed([true])
param publicAccessOffNeedsPrivateEndpoints bool

@description('The apps of several regions ask each other for keys, from addresses that are not known.')
@allowed([true])
param allowedIpRangesIsForOneRegion bool

@description('The admin account cannot have an empty password.')
@allowed([true])
param adminUserEnabledNeedsAdminPasswordOrKeepAdminPassword bool

@description('The issuer of the certificate checks the domain from the internet, and must find this one app there.')
@allowed([true])
param managedCertificateNeedsCustomDomainInOneOpenRegion bool

@description('A domain has one certificate.')
@allowed([true])
param managedCertificateIsInsteadOfCertificateVaultId bool

@description('The app could not reach itself, because the address that it comes from is not known.')
@allowed([true])
param keepWarmNeedsNoAllowedIpRanges bool

@description('Azure takes a budget only with the month from which it counts, and never another one afterwards.')
@allowed([true])
param budgetEmailsNeedsBudgetStart bool

@description('A limit whose name is misspelt would be the default, without a word.')
@allowed([true])
param requestsPerMinuteHasNamesOfLimits bool

@description('Two apps, networks and accounts would have the same name. Spaces and capitals make no difference.')
@allowed([true])
param locationsNamesEachRegionOnce bool

@description('As many of the largest bodies at once would end the instance, and with it every request in it: docs/limits.md.')
@allowed([true])
param instanceMemoryMBHoldsPerInstanceConcurrencyTimesRequestBodyLimitMiB bool

@description('Smaller instances have one core or less, which two processes would only share.')
@allowed([true])
param twoWorkerProcessesNeedInstanceMemoryMB4096 bool

var ofAccess = publicAccessOffNeedsPrivateEndpoints && allowedIpRangesIsForOneRegion && keepWarmNeedsNoAllowedIpRanges
var ofCertificates = managedCertificateNeedsCustomDomainInOneOpenRegion && managedCertificateIsInsteadOfCertificateVaultId
var ofSize = locationsNamesEachRegionOnce && instanceMemoryMBHoldsPerInstanceConcurrencyTimesRequestBodyLimitMiB && twoWorkerProcessesNeedInstanceMemoryMB4096
var ofMoney = budgetEmailsNeedsBudgetStart && requestsPerMinuteHasNamesOfLimits

output hold bool = ofAccess && ofCertificates && ofSize && ofMoney && adminUserEnabledNeedsAdminPasswordOrKeepAdminPassword
