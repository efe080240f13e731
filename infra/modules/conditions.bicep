// What parameters need of one another. A deployment that breaks a condition ends here, with its name
// in the message, before it has made anything but the resource group and the logs.
// (The function fail() would do as well; the parser that checkov uses does not know it.)

@description('Without either, nobody could reach the registry.')
@allowed([true])
param publicAccessOffNeedsPrivateEndpoints bool

@description('The addresses from which the apps of several regions ask each other for keys are not known.')
@allowed([true])
param allowedIpRangesIsForOneRegion bool

@description('The admin account can have no empty password.')
@allowed([true])
param adminUserEnabledNeedsAdminPasswordOrKeepAdminPassword bool

@description('Whoever issues the certificate looks at the domain from the internet, and has to find this one app.')
@allowed([true])
param managedCertificateNeedsCustomDomainInOneOpenRegion bool

@description('A domain has one certificate.')
@allowed([true])
param managedCertificateIsInsteadOfCertificateVaultId bool

@description('The app would not let itself in: the address it comes from is not known.')
@allowed([true])
param keepWarmNeedsNoAllowedIpRanges bool

var ofAccess = publicAccessOffNeedsPrivateEndpoints && allowedIpRangesIsForOneRegion && keepWarmNeedsNoAllowedIpRanges
var ofCertificates = managedCertificateNeedsCustomDomainInOneOpenRegion && managedCertificateIsInsteadOfCertificateVaultId

output hold bool = ofAccess && ofCertificates && adminUserEnabledNeedsAdminPasswordOrKeepAdminPassword
